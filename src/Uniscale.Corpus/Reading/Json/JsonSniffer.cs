using System.Text.Json;

namespace Uniscale.Corpus.Reading.Json;

/// <summary>What a file that begins like JSON is, by its first bytes.</summary>
internal static class JsonSniffer
{
    /// <summary>True for JSON lines: the first line is an object with a text, or in a .json file one of several objects.</summary>
    public static bool AreLines(ReadOnlySpan<byte> head, string extension, ReadingOptions options)
    {
        if (extension is ".jsonl" or ".ndjson")
            return true;
        head = Trimmed(head);
        if (!head.StartsWith("{"u8))
            return false;
        int end = head.IndexOf((byte)'\n');
        var line = end < 0 ? head : head[..end];
        return Names(line, isWhole: end >= 0) is { } names
            && (HasText(names, options) || (extension == ".json" && end >= 0 && head[end..].TrimStart(" \t\r\n"u8).StartsWith("{"u8)));
    }

    /// <summary>True for an array of documents, or objects that follow one another over several lines.</summary>
    public static bool AreObjects(ReadOnlySpan<byte> head, ReadingOptions options)
    {
        head = Trimmed(head);
        if (head.StartsWith("["u8))
            head = head[1..].TrimStart(" \t\r\n"u8);
        return head.StartsWith("{"u8) && Names(head, isWhole: false) is { } names && HasText(names, options);
    }

    /// <summary>True for a notebook of Jupyter: an object with cells and the version of its format.</summary>
    public static bool IsNotebook(ReadOnlySpan<byte> head, string extension)
    {
        head = Trimmed(head);
        return head.StartsWith("{"u8)
            && (
                extension == ".ipynb" || (Names(head, isWhole: false) is { } names && names.Contains("cells") && names.Contains("nbformat"))
            );
    }

    private static bool HasText(HashSet<string> names, ReadingOptions options)
    {
        if (options.Text is { } text)
            return names.Contains(FieldPath.Parse(text).Root);
        return FieldNames.Texts.Any(path => names.Contains(path.Root))
            || (options.Template is not null && FieldNames.Messages.Any(path => names.Contains(path.Root)));
    }

    /// <summary>The names in the first object, as far as the bytes go; null where they are no JSON.</summary>
    private static HashSet<string>? Names(ReadOnlySpan<byte> json, bool isWhole)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(json, isFinalBlock: isWhole, default);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                    names.Add(reader.GetString()!);
                else if (reader.TokenType == JsonTokenType.EndObject && reader.CurrentDepth == 0)
                    break;
            }
            return names;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // the latter for half a surrogate pair in a name
        {
            return isWhole ? null : names;
        }
    }

    private static ReadOnlySpan<byte> Trimmed(ReadOnlySpan<byte> head) => head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8);
}
