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
    private CompressionStream? _file;

    /// <summary>Opens the file PATH.unfinished.</summary>
    public DocumentFileWriter(string path)
    {
        _path = path;
        _file = new CompressionStream(new FileStream(Unfinished, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16), CompressionLevel, leaveOpen: false);
        Json = new Utf8JsonWriter(_file, Plain);
    }

    /// <summary>Characters of text written so far.</summary>
    public long Characters { get; private set; }

    private Utf8JsonWriter Json { get; }

    private string Unfinished => _path + ".unfinished";

    /// <summary>Appends one document.</summary>
    /// <exception cref="UserErrorException">It makes a line that is longer than readers take.</exception>
    public void Add(StoredDocument document)
    {
        Json.WriteStartObject();
        Json.WriteString("id", document.Id);
        Json.WriteString("source", document.Source);
        if (document.Language is { } language)
            Json.WriteString("language", language);
        Json.WriteString("text", document.Text);
        Json.WriteEndObject();
        Json.Flush();
        if (Json.BytesCommitted > DocumentReader.MaxLineBytes)
        {
            throw new UserErrorException(
                $"{document.Source} makes a document of {Json.BytesCommitted >> 20} MiB, where a store holds lines of at most {DocumentReader.MaxLineBytes >> 20} MiB; " +
                "cut it into documents (JSONL), or tokenize it as a .txt file without importing.");
        }
        Json.Reset();
        _file!.WriteByte((byte)'\n');
        Characters += document.Text.Length;
    }

    /// <summary>Closes the file; it keeps its unfinished name until <see cref="Complete"/>.</summary>
    public void Close()
    {
        Json.Dispose();
        _file?.Dispose();
        _file = null;
    }

    /// <summary>Gives the file its name.</summary>
    public void Complete()
    {
        Close();
        File.Move(Unfinished, _path, overwrite: true);
    }

    /// <summary>Closes the file and, where it was not completed, removes it.</summary>
    public void Dispose()
    {
        Close();
        File.Delete(Unfinished);
    }
}
