using System.Collections;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Loading;

/// <summary>A configuration as JSON with the keys and names of its YAML.</summary>
internal static class JsonWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(RunConfiguration value) => Section(SectionSchema.Root, value).ToJsonString(Indented);

    /// <summary>A value of the schema as a JSON node; null for null.</summary>
    public static JsonNode? Node(ValueSchema schema, object? value) => value switch
    {
        null => null,
        bool truth => truth,
        int number => number,
        long number => number,
        double number => number,
        IDictionary map => Map(schema.Element!, map),
        IList list => new JsonArray([.. list.Cast<object?>().Select(item => Node(schema.Element!, item))]),
        _ when schema.Kind == ValueKind.Section => Section(schema.Section, value),
        string text => text,
        _ => ScalarText.Of(schema, value),
    };

    private static JsonObject Section(SectionSchema schema, object record)
    {
        var result = new JsonObject();
        foreach (var key in schema.Keys)
            result[key.Name] = Node(key.Value, key.Property.GetValue(record));
        return result;
    }

    private static JsonObject Map(ValueSchema element, IDictionary map)
    {
        var result = new JsonObject();
        foreach (DictionaryEntry entry in map)
            result[(string)entry.Key] = Node(element, entry.Value);
        return result;
    }
}
