// Holds documents against a JSON schema. Arguments: the schema's file, and that of a JSON list of documents.
// Prints a list with each document's faults, none where it is as the schema says.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const [schema, documents] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const ajv = addFormats(new Ajv({ allErrors: true, strictTypes: false, strictRequired: false }));
const holds = ajv.compile(schema);
console.log(JSON.stringify(documents.map((one) => (holds(one) ? [] : holds.errors.map((e) => `${e.instancePath} ${e.message}`)))));
