using System.Text.Json;
using System.Text.Unicode;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>Reads the documents of a store's file with all that is known of them, as a stream.</summary>
public static class StoredDocumentReader
{
    /// <summary>The documents of one JSONL file, compressed or not. A line without an id is named by its number, one without a source by its file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxLineBytes">Longer lines are refused.</param>
    /// <exception cref="UserErrorException">A line is too long, not valid UTF-8 or no document, or the file cannot be decompressed.</exception>
    public static IEnumerable<StoredDocument> Read(string path, int maxLineBytes = DocumentReader.MaxLineBytes) =>
        TextFiles.Guarded(ReadLines(path, maxLineBytes), path);

    private static IEnumerable<StoredDocument> ReadLines(string path, int maxLineBytes)
    {
        using Stream stream = TextFiles.Open(path);
        var lines = new LineReader(stream, path, maxLineBytes);
        while (lines.TryRead(out ReadOnlyMemory<byte> line))
        {
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            if (!Utf8.IsValid(line.Span))
                throw DocumentReader.InvalidUtf8(path, lines.Number);
            yield return ReadDocument(line.Span, path, lines.Number);
        }
    }

    private static StoredDocument ReadDocument(ReadOnlySpan<byte> line, string path, long number)
    {
        string? id = null, source = null, language = null, text = null;
        try
        {
            var json = new Utf8JsonReader(line);
            while (json.Read())
            {
                if (json.TokenType != JsonTokenType.PropertyName || json.CurrentDepth != 1)
                    continue;
                bool isId = json.ValueTextEquals("id"u8), isSource = json.ValueTextEquals("source"u8);
                bool isLanguage = json.ValueTextEquals("language"u8), isText = json.ValueTextEquals("text"u8);
                json.Read();
                if (json.TokenType != JsonTokenType.String)
                    json.Skip();
                else if (isText)
                    text = json.GetString();
                else if (isId)
                    id = json.GetString();
                else if (isSource)
                    source = json.GetString();
                else if (isLanguage)
                    language = json.GetString();
            }
        }
        // A surrogate without its partner is an escape that JSON allows and text does not.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw DocumentReader.NotJson(path, number, error);
        }
        return text is null
            ? throw DocumentReader.NoText(path, number)
            : new StoredDocument(id ?? $"{Path.GetFileName(path)}:{number}", source ?? Path.GetFileName(path), text, language);
    }
}
