using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Uniscale.Configuration;
using ZstdSharp;

namespace Uniscale.Corpus;

/// <summary>Writes one compressed file of documents, a line each, which has its name only once it is complete.</summary>
public sealed class DocumentFileWriter : IDisposable
{
    private const int CompressionLevel = 3;

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _path;
    private readonly ArrayBufferWriter<byte> _line = new(1 << 16);
    private readonly Utf8JsonWriter _json;
    private CompressionStream? _file;

    /// <summary>Opens the file PATH.unfinished.</summary>
    public DocumentFileWriter(string path)
    {
        _path = path;
        _file = new CompressionStream(
            new FileStream(Unfinished, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16),
            CompressionLevel,
            leaveOpen: false
        );
        _json = NewJson(_line);
    }

    /// <summary>Characters of text written so far.</summary>
    public long Characters { get; private set; }

    private string Unfinished => _path + ".unfinished";

    /// <summary>Appends one document.</summary>
    /// <exception cref="UserErrorException">It makes a line that is longer than readers take.</exception>
    public void Add(StoredDocument document)
    {
        _line.ResetWrittenCount();
        Append(document, _json, _line);
        AddLines(_line.WrittenSpan, document.Text.Length);
    }

    /// <summary>Appends lines that <see cref="Append(StoredDocument, ReadOnlySpan{byte}, Utf8JsonWriter, ArrayBufferWriter{byte})"/> made.</summary>
    /// <param name="lines">The lines.</param>
    /// <param name="characters">Characters of text in them.</param>
    internal void AddLines(ReadOnlySpan<byte> lines, long characters)
    {
        _file!.Write(lines);
        Characters += characters;
    }

    /// <summary>What writes documents into a buffer.</summary>
    internal static Utf8JsonWriter NewJson(IBufferWriter<byte> buffer) => new(buffer, Plain);

    /// <summary>Appends a document as a line to a buffer.</summary>
    /// <exception cref="UserErrorException">It makes a line that is longer than readers take.</exception>
    internal static void Append(StoredDocument document, Utf8JsonWriter json, ArrayBufferWriter<byte> lines)
    {
        json.Reset();
        document.WriteTo(json);
        EndLine(document, json, lines);
    }

    /// <summary>Appends a document with a text that is UTF-8 in place of its own as a line to a buffer.</summary>
    /// <exception cref="UserErrorException">It makes a line that is longer than readers take.</exception>
    internal static void Append(StoredDocument document, ReadOnlySpan<byte> text, Utf8JsonWriter json, ArrayBufferWriter<byte> lines)
    {
        json.Reset();
        document.WriteTo(json, text);
        EndLine(document, json, lines);
    }

    private static void EndLine(StoredDocument document, Utf8JsonWriter json, ArrayBufferWriter<byte> lines)
    {
        if (json.BytesCommitted > DocumentReader.MaxLineBytes)
        {
            throw new UserErrorException(
                $"{document.Source} makes a document of {json.BytesCommitted >> 20} MiB, where a store holds lines of at most {DocumentReader.MaxLineBytes >> 20} MiB; "
                    + "cut it into documents (JSONL), or tokenize it as a .txt file without importing."
            );
        }
        lines.Write("\n"u8);
    }

    /// <summary>Closes the file; it keeps its unfinished name until <see cref="Complete"/>.</summary>
    public void Close()
    {
        _json.Dispose();
        _file?.Dispose();
        _file = null;
    }

    /// <summary>Gives the file its name.</summary>
    /// <param name="path">The name; null: the one that it was opened for.</param>
    public void Complete(string? path = null)
    {
        Close();
        File.Move(Unfinished, path ?? _path, overwrite: true);
    }

    /// <summary>Closes the file and, where it was not completed, removes it.</summary>
    public void Dispose()
    {
        Close();
        File.Delete(Unfinished);
    }
}
