using System.Collections;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>A configuration as JSON with the keys and names of its YAML.</summary>
internal static class JsonWriter
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Write(ResolvedConfiguration resolved) =>
        Section(SectionSchema.Root, resolved.Value, "", resolved.References).ToJsonString(Indented);

    /// <summary>A value of the schema as a JSON node; null for null.</summary>
    public static JsonNode? Node(ValueSchema schema, object? value) => Node(schema, value, "", new Dictionary<string, Reference>());

    private static JsonNode? Node(ValueSchema schema, object? value, string path, IReadOnlyDictionary<string, Reference> references) =>
        value switch
        {
            null => null,
            IDictionary map => Map(schema.Element!, map, path, references),
            IList list => new JsonArray([
                .. list.Cast<object?>().Select((item, i) => Node(schema.Element!, item, $"{path}[{i}]", references)),
            ]),
            _ when schema.Kind == ValueKind.Section => Section(schema.Section, value, path, references),
            _ when references.GetValueOrDefault(path) is { IsSecret: true } secret => secret.Text,
            bool truth => truth,
            int number => number,
            long number => number,
            double number => number,
            string text => text,
            _ => ScalarText.Of(schema, value),
        };

    private static JsonObject Section(SectionSchema schema, object record, string path, IReadOnlyDictionary<string, Reference> references)
    {
        var result = new JsonObject();
        foreach (var key in schema.Keys)
            result[key.Name] = Node(
                key.Value,
                key.Property.GetValue(record),
                path.Length == 0 ? key.Name : $"{path}.{key.Name}",
                references
            );
        return result;
    }

    private static JsonObject Map(ValueSchema element, IDictionary map, string path, IReadOnlyDictionary<string, Reference> references)
    {
        var result = new JsonObject();
        foreach (DictionaryEntry entry in map)
            result[(string)entry.Key] = Node(element, entry.Value, $"{path}.{entry.Key}", references);
        return result;
    }
}
