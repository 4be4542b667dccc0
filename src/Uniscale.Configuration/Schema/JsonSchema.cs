using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration.Schema;

/// <summary>
/// The JSON schema (draft 2020-12) of configuration files, so that editors complete and check them while they are written.
/// </summary>
public static class JsonSchema
{
    private const string Reference = "#/$defs/reference";

    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The schema as text with a closing newline.</summary>
    public static string Write()
    {
        var root = Section(SectionSchema.Root);
        root["properties"]!.AsObject().Insert(0, "extends", Extends());
        var schema = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = "Uniscale configuration" };
        foreach (var (key, value) in root.ToArray())
            schema[key] = value?.DeepClone();
        schema["$defs"] = new JsonObject
        {
            ["reference"] = new JsonObject
            {
                ["description"] = "A value out of the environment.",
                ["type"] = "string",
                ["pattern"] = @"\$\{\w+(:-[^}]*)?\}",
            },
        };
        return schema.ToJsonString(Format) + "\n";
    }

    private static JsonObject Extends() =>
        new()
        {
            ["description"] = "Files whose values lie below those of this file; paths are relative to it, of several the later wins.",
            ["type"] = new JsonArray("string", "array"),
            ["items"] = new JsonObject { ["type"] = "string" },
        };

    private static JsonObject Section(SectionSchema schema)
    {
        object defaults = Activator.CreateInstance(schema.Type)!;
        var properties = new JsonObject();
        foreach (var key in schema.Keys)
            properties[key.Name] = Key(key, key.Property.GetValue(defaults));
        return new JsonObject
        {
            ["type"] = "object",
            ["description"] = Documentation.Of(schema.Type),
            ["properties"] = properties,
            ["additionalProperties"] = false,
        };
    }

    private static JsonObject Key(KeySchema key, object? standard)
    {
        var described = new JsonObject { ["description"] = Documentation.Of(key.Property) };
        var value = Value(key.Value, key.Nullable);
        value.Remove("description");
        foreach (var (name, node) in value.ToArray())
            described[name] = node?.DeepClone();
        if (key.Value.Kind != ValueKind.Section)
            described["default"] = JsonWriter.Node(key.Value, standard);
        return described;
    }

    private static JsonObject Value(ValueSchema schema, bool nullable)
    {
        JsonObject[] alternatives = schema.Kind switch
        {
            ValueKind.Section => [Section(schema.Section)],
            ValueKind.List => [new JsonObject { ["type"] = "array", ["items"] = Value(schema.Element!, nullable: false) }],
            ValueKind.Map => [new JsonObject { ["type"] = "object", ["additionalProperties"] = Value(schema.Element!, nullable: false) }],
            // Numbers as keys and values of maps of texts are written bare in YAML.
            ValueKind.Text when schema.OneOf is null => [new JsonObject { ["type"] = new JsonArray("string", "number") }],
            ValueKind.Text => [Names(schema.OneOf!), Environment()],
            ValueKind.Choice => [Names([.. schema.Choices.SelectMany(choice => choice.Aliases.Prepend(choice.Name))]), Environment()],
            ValueKind.Boolean => [new JsonObject { ["type"] = "boolean" }, Environment()],
            ValueKind.Duration => [Pattern(@"^[0-9._]+ ?(ms|s|min|h|d)$"), Environment()],
            _ => [Number(schema), .. schema.Unit is { } unit ? [Pattern(UnitPattern(unit))] : Array.Empty<JsonObject>(), Environment()],
        };
        if (nullable)
            alternatives = [.. alternatives, new JsonObject { ["type"] = "null" }];
        return alternatives.Length == 1 ? alternatives[0] : new JsonObject { ["anyOf"] = new JsonArray([.. alternatives]) };
    }

    private static JsonObject Number(ValueSchema schema)
    {
        var number = new JsonObject { ["type"] = schema.Kind == ValueKind.Integer ? "integer" : "number" };
        if (schema.Range is not { } range)
            return number;
        number[range.MinimumExclusive ? "exclusiveMinimum" : "minimum"] = range.Minimum;
        if (double.IsFinite(range.Maximum))
            number[range.MaximumExclusive ? "exclusiveMaximum" : "maximum"] = range.Maximum;
        return number;
    }

    private static JsonObject Names(IEnumerable<string> names) =>
        new() { ["enum"] = new JsonArray([.. names.Select(name => JsonValue.Create(name))]) };

    private static JsonObject Pattern(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };

    private static JsonObject Environment() => new() { ["$ref"] = Reference };

    private static string UnitPattern(Unit unit) =>
        unit switch
        {
            Unit.Bytes => @"^[0-9._]+ ?([kKMGT]?B|[KMGT]iB)?$",
            Unit.Flops => @"^[0-9._]+ ?[kKMBGTP]?(FLOP/s)?$",
            _ => @"^[0-9._]+ ?[kKMBGTP]? ?(tokens)?$",
        };
}
