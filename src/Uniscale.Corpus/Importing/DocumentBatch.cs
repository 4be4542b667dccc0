using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Uniscale.Corpus.Reading;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus;

/// <summary>Documents that are turned together into lines of a store, by one worker.</summary>
internal sealed class DocumentBatch
{
    private const long FullBytes = 512 << 10;
    private const int FullDocuments = 2048;

    private readonly List<(FileTally File, RawDocument Document)> _documents = [];
    private readonly List<(FileTally File, int Documents, long Bytes, bool IsRepaired, string? Reason)> _results = [];
    private readonly ArrayBufferWriter<byte> _lines = new(1 << 16);
    private long _bytes;

    /// <summary>Characters of text in the lines.</summary>
    public long Characters { get; private set; }

    public ReadOnlySpan<byte> Lines => _lines.WrittenSpan;

    public bool IsFull => _bytes >= FullBytes || _documents.Count >= FullDocuments;

    public bool IsEmpty => _documents.Count == 0;

    public void Add(FileTally file, RawDocument document)
    {
        _documents.Add((file, document));
        _bytes += document.Bytes;
    }

    /// <summary>Does the work.</summary>
    public DocumentBatch Convert()
    {
        using var json = DocumentFileWriter.NewJson(_lines);
        foreach ((var file, var document) in _documents)
        {
            var extracted = document.Extract();
            string? text = extracted.Text?.Replace("\r\n", "\n", StringComparison.Ordinal).Replace("\0", "", StringComparison.Ordinal);
            if (string.IsNullOrWhiteSpace(text))
            {
                _results.Add((file, 0, 0, false, extracted.Reason ?? "no text"));
                continue;
            }
            bool joins = document.Place.Length == 0 || document.Place[0] is '#' or '/';
            _results.Add(
                (
                    file,
                    Store(text, $"{file.File.Name}{(joins ? "" : ":")}{document.Place}", extracted.Fields ?? DocumentFields.None, json),
                    Encoding.UTF8.GetByteCount(text),
                    extracted.IsRepaired,
                    null
                )
            );
        }
        _documents.Clear();
        return this;
    }

    /// <summary>Counts what came out.</summary>
    public void Count()
    {
        foreach ((var file, int documents, long bytes, bool isRepaired, string? reason) in _results)
        {
            file.Documents += documents;
            file.Bytes += bytes;
            file.IsRepaired |= isRepaired;
            file.Cut += documents > 1 ? 1 : 0;
            if (reason is not null)
                file.Leave(reason);
        }
    }

    /// <summary>Writes a text; one that is too long for a line of a store becomes several.</summary>
    private int Store(string text, string source, DocumentFields fields, Utf8JsonWriter json)
    {
        if (text.Length <= PlainTextReader.MostCharacters)
        {
            Append(source, text, fields, json);
            return 1;
        }
        int number = 0;
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(PlainTextReader.MostCharacters, text.Length - at);
            if (at + length < text.Length && text.LastIndexOf('\n', at + length - 1, length / 2) is > 0 and var line)
                length = line + 1 - at;
            else if (char.IsHighSurrogate(text[at + length - 1]))
                length--;
            Append($"{source}#{++number}", text.Substring(at, length), fields, json);
            at += length;
        }
        return number;
    }

    private void Append(string source, string text, DocumentFields fields, Utf8JsonWriter json)
    {
        ulong digest = XxHash3.HashToUInt64(
            Encoding.UTF8.GetBytes(source),
            (long)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(text.AsSpan()))
        );
        var document = new StoredDocument(digest.ToString("x16", CultureInfo.InvariantCulture), source, text, fields.Language)
        {
            SourceId = fields.SourceId,
            Url = fields.Url,
            Date = fields.Date,
            Score = fields.Score,
        };
        DocumentFileWriter.Append(document, json, _lines);
        Characters += text.Length;
    }
}
