using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Uniscale.Configuration.Tests.Schema;

/// <summary>The part of JSON Schema that the generated schema uses, written from the specification.</summary>
internal sealed class SchemaValidator(JsonObject root)
{
    public IEnumerable<string> Errors(JsonNode? value) => Errors(root, value, "$");

    private IEnumerable<string> Errors(JsonObject schema, JsonNode? value, string path)
    {
        if (schema["$ref"]?.GetValue<string>() is { } reference)
            return Errors(root["$defs"]![reference.Split('/')[^1]]!.AsObject(), value, path);
        if (
            schema["anyOf"] is JsonArray alternatives
            && !alternatives.Any(alternative => !Errors(alternative!.AsObject(), value, path).Any())
        )
            return [$"{path}: no alternative fits"];
        if (
            schema["type"] is { } type
            && !Types(type).Contains(TypeOf(value))
            && !(TypeOf(value) == "integer" && Types(type).Contains("number"))
        )
            return [$"{path}: is {TypeOf(value)}, not {type}"];
        if (schema["enum"] is JsonArray names && !names.Any(name => JsonNode.DeepEquals(name, value)))
            return [$"{path}: not among {names}"];
        return value switch
        {
            JsonObject map => Map(schema, map, path),
            JsonArray list => list.SelectMany((item, i) => schema["items"] is JsonObject items ? Errors(items, item, $"{path}[{i}]") : []),
            JsonValue scalar => Scalar(schema, scalar, path),
            _ => [],
        };
    }

    private IEnumerable<string> Map(JsonObject schema, JsonObject map, string path)
    {
        foreach (var (key, value) in map)
        {
            var known = schema["properties"]?[key]?.AsObject();
            if (known is null && schema["additionalProperties"] is JsonValue)
                yield return $"{path}.{key}: unknown";
            foreach (
                string error in (known ?? schema["additionalProperties"] as JsonObject) is { } inner
                    ? Errors(inner, value, $"{path}.{key}")
                    : []
            )
                yield return error;
        }
    }

    private static IEnumerable<string> Scalar(JsonObject schema, JsonValue value, string path)
    {
        if (schema["pattern"]?.GetValue<string>() is { } pattern && !Regex.IsMatch(value.ToString(), pattern))
            yield return $"{path}: '{value}' does not match {pattern}";
        if (TypeOf(value) is not ("integer" or "number"))
            yield break;
        double number = double.Parse(value.ToString(), System.Globalization.CultureInfo.InvariantCulture);
        if (
            number < schema["minimum"]?.GetValue<double>()
            || number <= schema["exclusiveMinimum"]?.GetValue<double>()
            || number > schema["maximum"]?.GetValue<double>()
            || number >= schema["exclusiveMaximum"]?.GetValue<double>()
        )
            yield return $"{path}: {number} is out of range";
    }

    private static string[] Types(JsonNode type) =>
        type is JsonArray list ? [.. list.Select(name => name!.GetValue<string>())] : [type.GetValue<string>()];

    private static string TypeOf(JsonNode? value) =>
        value switch
        {
            null => "null",
            JsonObject => "object",
            JsonArray => "array",
            JsonValue scalar => scalar.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False => "boolean",
                System.Text.Json.JsonValueKind.Number => scalar.ToString().AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? "integer" : "number",
                _ => "string",
            },
            _ => "",
        };
}
