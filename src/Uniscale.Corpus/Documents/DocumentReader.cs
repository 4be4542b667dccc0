using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus;

/// <summary>
/// Reads documents as a stream: each line of a JSONL file is one (its <c>text</c>), any other file is one by itself. Text is UTF-8; what is
/// not is refused
/// with its place. Long files are read in parts, so that memory grows only with what their tokenizer does not allow to be cut.
/// </summary>
public static class DocumentReader
{
    /// <summary>Bytes in a part of a long file.</summary>
    private const int PartBytes = 64 << 10;

    /// <summary>Longest line of a JSONL file.</summary>
    internal const int MaxLineBytes = 128 << 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>The documents of several files, one after the other.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="tokenizer">The model that will encode the parts of long documents, which decides where they may be cut; null: at any
    /// line end.</param>
    public static IEnumerable<DocumentPart> ReadAll(IEnumerable<string> paths, Tokenizer? tokenizer = null) =>
        paths.SelectMany(path => Read(path, tokenizer));

    /// <summary>The documents of one file.</summary>
    /// <exception cref="UserErrorException">The file does not exist, is not valid UTF-8 or JSON, or cannot be decompressed.</exception>
    public static IEnumerable<DocumentPart> Read(string path, Tokenizer? tokenizer = null) =>
        TextFiles.Guarded(TextFiles.IsJsonLines(path) ? ReadLines(path) : ReadWhole(path, tokenizer), path);

    private static IEnumerable<DocumentPart> ReadLines(string path)
    {
        using var stream = TextFiles.Open(path);
        var lines = new LineReader(stream, path, MaxLineBytes);
        var text = new ArrayBufferWriter<byte>(1 << 16);
        while (lines.TryRead(out var line))
        {
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            if (!Utf8.IsValid(line.Span))
                throw InvalidUtf8(path, lines.Number);
            ReadText(line.Span, text, path, lines.Number);
            yield return new DocumentPart(text.WrittenMemory, IsFirst: true, IsLast: true);
        }
    }

    internal static void ReadText(ReadOnlySpan<byte> line, ArrayBufferWriter<byte> text, string path, long number)
    {
        try
        {
            bool found = false;
            var json = new Utf8JsonReader(line);
            while (json.Read()) // to the end of the line: one that was cut is no document
            {
                if (json.TokenType != JsonTokenType.PropertyName || json.CurrentDepth != 1)
                    continue;
                bool isText = json.ValueTextEquals("text"u8);
                json.Read();
                if (!isText || json.TokenType != JsonTokenType.String)
                {
                    json.Skip();
                    continue;
                }
                text.ResetWrittenCount();
                text.Advance(json.CopyString(text.GetSpan(json.ValueSpan.Length)));
                found = true;
            }
            if (found)
                return;
        }
        // A surrogate without its partner is an escape that JSON allows and text does not.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw NotJson(path, number, error);
        }
        throw NoText(path, number);
    }

    internal static UserErrorException InvalidUtf8(string path, long line) =>
        new(
            $"Line {line} of {path} is not valid UTF-8: convert the file, for example with `iconv -f WINDOWS-1252 -t UTF-8`, or repair it with `uniscale data import`."
        );

    internal static UserErrorException NotJson(string path, long line, Exception error) =>
        new(
            $"Line {line} of {path} is not JSON: {error.Message.TrimEnd('.')}; each line must be an object such as {{\"text\": \"...\"}}.",
            error
        );

    internal static UserErrorException NoText(string path, long line) =>
        new($"Line {line} of {path} has no string \"text\"; each line must be an object such as {{\"text\": \"...\"}}.");

    private static IEnumerable<DocumentPart> ReadWhole(string path, Tokenizer? tokenizer)
    {
        using var stream = TextFiles.Open(path);
        byte[] buffer = new byte[2 * PartBytes];
        int held = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        int from = buffer.AsSpan(0, held).StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;
        long offset = 0; // of the buffer in the file
        bool first = true,
            ended = held < buffer.Length;
        while (held > from)
        {
            int length = ended ? held - from : LastCut(buffer.AsSpan(from, held - from), tokenizer);
            if (length == 0 && held - from >= MaxLineBytes)
                throw new UserErrorException(
                    $"{path} has {MaxLineBytes >> 20} MiB from byte {offset + from} on that this tokenizer does not allow to be cut: make documents of it."
                );
            if (length > 0)
            {
                CheckUtf8(buffer.AsSpan(from, length), path, offset + from);
                yield return new DocumentPart(buffer.AsMemory(from, length), first, IsLast: ended);
                from += length;
                first = false;
                if (ended)
                    yield break;
            }
            // A cut leaves a few bytes at least, so that the last part is never empty.
            buffer.AsSpan(from, held - from).CopyTo(buffer);
            (offset, held, from) = (offset + from, held - from, 0);
            if (2 * held > buffer.Length)
                Array.Resize(ref buffer, 2 * buffer.Length);
            int read = stream.ReadAtLeast(buffer.AsSpan(held), buffer.Length - held, throwOnEndOfStream: false);
            ended = read < buffer.Length - held;
            held += read;
        }
    }

    private static int LastCut(ReadOnlySpan<byte> text, Tokenizer? tokenizer)
    {
        if (tokenizer is not null)
            return tokenizer.LastCut(text);
        int line = text[..^1].LastIndexOf((byte)'\n');
        int cut = line > 0 ? line : text.Length - 4;
        while (cut > 0 && (text[cut] & 0xC0) == 0x80)
            cut--; // continuation byte of a character
        return cut;
    }

    private static void CheckUtf8(ReadOnlySpan<byte> text, string path, long offset)
    {
        if (Utf8.IsValid(text))
            return;
        Utf8.ToUtf16(text, new char[text.Length], out int valid, out _, replaceInvalidSequences: false);
        throw new UserErrorException(
            $"{path} is not valid UTF-8 at byte {offset + valid}; convert the file, or run it through `uniscale data import`."
        );
    }
}
