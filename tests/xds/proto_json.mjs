// Envoy's messages from JSON as Envoy writes it, by npm's protobufjs: fields by their names in the
// .proto files, durations as "1.5s", wrappers as plain values, Any with "@type". A field that is
// not in the message is an error: a typo in a test must not pass for an unset field.
import {createRequire} from "node:module";
import {existsSync, readdirSync} from "node:fs";
import {join} from "node:path";

const require = createRequire(import.meta.url);
require("@grpc/proto-loader");  // brings the .proto files of protobuf itself
const protobuf = require("protobufjs");

const kGoogle = ".google.protobuf.";
const kUrl = "type.googleapis.com/";

function duration(text, path) {
  const match = /^(-?\d+)(\.\d+)?s$/.exec(text);
  if (!match) throw new Error(`${path}: '${text}' is no duration`);
  return {seconds: Number(match[1]), nanos: Math.round(Number(match[2] ?? 0) * 1e9)};
}

function structValue(value) {
  if (value === null) return {nullValue: 0};
  if (Array.isArray(value)) return {listValue: {values: value.map(structValue)}};
  const kinds = {number: "numberValue", string: "stringValue", boolean: "boolValue"};
  if (typeof value !== "object") return {[kinds[typeof value]]: value};
  return {structValue: struct(value)};
}

function struct(object) {
  const fields = Object.entries(object).map(([key, value]) => [key, structValue(value)]);
  return {fields: Object.fromEntries(fields)};
}

export class Protos {
  // `home` has the folders supplements/ and npm/, as the repository @envoy_api has.
  constructor(home) {
    this.folders = [join(home, "supplements"), join(home, "npm")];
    this.root = new protobuf.Root();
    this.root.resolvePath = (origin, target) => {
      const found = this.folders.map((folder) => join(folder, target)).find(existsSync);
      return found ?? protobuf.Root.prototype.resolvePath(origin, target);
    };
    this.loaded = new Set();
  }

  // Reads the package's files when a message of it is first asked for. Null: there is none.
  type(name) {
    const folder = name.split(".").slice(0, -1).join("/");
    if (!this.loaded.has(folder)) {
      this.loaded.add(folder);
      for (const at of this.folders.map((root) => join(root, folder)).filter(existsSync)) {
        const files = readdirSync(at).filter((file) => file.endsWith(".proto"));
        for (const file of files) this.root.loadSync(folder + "/" + file, {keepCase: true});
      }
    }
    try {
      return this.root.lookupType(name);
    } catch {
      return null;
    }
  }

  encode(name, json) {
    const type = this.type(name);
    if (type === null) throw new Error(`there is no message ${name}`);
    return Buffer.from(type.encode(this.#message(type, json, name)).finish());
  }

  decode(name, bytes) {
    const type = this.type(name);
    return type.toObject(type.decode(bytes),
      {longs: Number, enums: String, defaults: true, bytes: Buffer});
  }

  // Of a type that nobody knows: `value` is what is in "@value", base64, or empty.
  any(json) {
    const {"@type": url, ...fields} = json;
    const name = url.slice(url.lastIndexOf("/") + 1);
    if (fields["@value"] !== undefined || this.type(name) === null)
      return {type_url: url, value: Buffer.from(fields["@value"] ?? "", "base64")};
    return {type_url: url, value: this.encode(name, fields)};
  }

  #message(type, json, path) {
    if (type.fullName === kGoogle + "Any") return this.any(json);
    if (type.fullName === kGoogle + "Duration") return duration(json, path);
    if (type.fullName === kGoogle + "Struct") return struct(json);
    if (type.fullName === kGoogle + "Value") return structValue(json);
    if (type.fullName.startsWith(kGoogle) && type.fullName.endsWith("Value"))
      return {value: json};
    if (json === null || typeof json !== "object")
      throw new Error(`${path}: ${JSON.stringify(json)} is no ${type.fullName}`);
    const out = {};
    for (const [key, value] of Object.entries(json)) {
      const field = type.fields[key];
      if (field === undefined) throw new Error(`${path}: ${type.fullName} has no field '${key}'`);
      out[key] = this.#field(field.resolve(), value, `${path}.${key}`);
    }
    return out;
  }

  #field(field, value, path) {
    const one = (item, at) => this.#value(field, item, at);
    if (field.map)
      return Object.fromEntries(Object.entries(value).map(([key, item]) =>
        [key, one(item, `${path}.${key}`)]));
    if (field.repeated) return value.map((item, index) => one(item, `${path}[${index}]`));
    return one(value, path);
  }

  #value(field, value, path) {
    if (field.resolvedType instanceof protobuf.Enum) {
      const number = typeof value === "number" ? value : field.resolvedType.values[value];
      if (number === undefined) throw new Error(`${path}: there is no value '${value}'`);
      return number;
    }
    if (field.resolvedType !== null) return this.#message(field.resolvedType, value, path);
    if (field.type === "bytes") return Buffer.from(value, "base64");
    return value;
  }
}

export const typeUrl = (name) => kUrl + name;
