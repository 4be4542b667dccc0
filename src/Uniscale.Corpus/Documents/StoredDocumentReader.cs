using System.Text.Json;
using System.Text.Unicode;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>Reads the documents of a store's file with all that is known of them, as a stream.</summary>
public static class StoredDocumentReader
{
    /// <summary>
    /// The documents of one JSONL file, compressed or not. A line without an id is named by its number, one without a source by its file.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="maxLineBytes">Longer lines are refused.</param>
    /// <exception cref="UserErrorException">A line is too long, not valid UTF-8 or no document, or the file cannot be
    /// decompressed.</exception>
    public static IEnumerable<StoredDocument> Read(string path, int maxLineBytes = DocumentReader.MaxLineBytes) =>
        TextFiles.Guarded(ReadLines(path, maxLineBytes), path);

    private static IEnumerable<StoredDocument> ReadLines(string path, int maxLineBytes)
    {
        using var stream = TextFiles.Open(path);
        var lines = new LineReader(stream, path, maxLineBytes);
        while (lines.TryRead(out var line))
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
        var document = new StoredDocument($"{Path.GetFileName(path)}:{number}", Path.GetFileName(path), null!);
        try
        {
            var json = new Utf8JsonReader(line);
            while (json.Read())
            {
                if (json.TokenType != JsonTokenType.PropertyName || json.CurrentDepth != 1)
                    continue;
                string name = json.GetString()!;
                json.Read();
                document = document.With(name, ref json);
            }
        }
        // A surrogate without its partner is an escape that JSON allows and text does not.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw DocumentReader.NotJson(path, number, error);
        }
        return document.Text is null ? throw DocumentReader.NoText(path, number) : document;
    }
}
