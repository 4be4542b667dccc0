using System.Text.Json;

namespace Uniscale.Data;

/// <summary>Fields of an object, where null is as if there were none.</summary>
internal static class JsonFields
{
    /// <summary>A field; null where it is not there.</summary>
    public static JsonElement? Field(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>A field that is a text.</summary>
    public static string? Text(this JsonElement element, string name) => element.Field(name)?.GetString();

    /// <summary>A field that is true or false.</summary>
    public static bool? Flag(this JsonElement element, string name) => element.Field(name)?.GetBoolean();
}
