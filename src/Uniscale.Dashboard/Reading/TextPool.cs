using System.Text.Json;

namespace Uniscale.Dashboard.Reading;

/// <summary>Texts of a file. Short ones, as names of phases, come again with every record, and are one object each.</summary>
internal sealed class TextPool
{
    private readonly Dictionary<int, string> _kept = [];

    /// <summary>The text that a reader stands at; null: it is none.</summary>
    public string? Text(ref Utf8JsonReader reader)
    {
        const int longestKept = 64,
            mostKept = 1024;
        if (reader.TokenType != JsonTokenType.String)
            return null;
        if (reader.ValueSpan.Length > longestKept)
            return reader.GetString();
        var hash = new HashCode();
        hash.AddBytes(reader.ValueSpan);
        int key = hash.ToHashCode();
        if (_kept.TryGetValue(key, out string? kept) && reader.ValueTextEquals(kept))
            return kept;
        string text = reader.GetString()!;
        if (_kept.Count < mostKept)
            _kept[key] = text;
        return text;
    }
}
