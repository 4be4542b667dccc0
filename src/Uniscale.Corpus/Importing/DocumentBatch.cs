using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Uniscale.Corpus.Reading;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus;

/// <summary>Documents that are turned together into lines of a store, by one worker; used again for others once they are written.</summary>
internal sealed class DocumentBatch
{
    private const long FullBytes = 512 << 10;
    private const int FullDocuments = 2048;
    private const int DigestedCharacters = 4096;

    private readonly List<(FileTally File, RawDocument Document)> _documents = [];
    private readonly List<(FileTally File, int Documents, long Bytes, bool IsRepaired, string? Reason)> _results = [];
    private readonly ArrayBufferWriter<byte> _lines = new(1 << 20);
    private readonly XxHash3 _digest = new();
    private readonly char[] _characters = new char[DigestedCharacters];
    private long _bytes;

    /// <summary>Characters of text in the lines.</summary>
    public long Characters { get; private set; }

    public ReadOnlySpan<byte> Lines => _lines.WrittenSpan;

    public bool IsFull => _bytes >= FullBytes || _documents.Count >= FullDocuments;

    public bool IsEmpty => _documents.Count == 0;

    /// <summary>Its memory is no more than documents of a usual length need, and may be kept.</summary>
    public bool IsSmall => _lines.Capacity <= 8 * FullBytes;

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
            var text = Utf8Text.WithoutControls(extracted.Text ?? default);
            if (Utf8Text.IsBlank(text.Span))
            {
                _results.Add((file, 0, 0, false, extracted.Reason ?? "no text"));
                continue;
            }
            bool joins = document.Place.Length == 0 || document.Place[0] is '#' or '/';
            _results.Add(
                (
                    file,
                    Store(text, $"{file.File.Name}{(joins ? "" : ":")}{document.Place}", extracted.Fields ?? DocumentFields.None, json),
                    text.Length,
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

    /// <summary>Forgets all that was in it.</summary>
    public void Clear()
    {
        _documents.Clear();
        _results.Clear();
        _lines.ResetWrittenCount();
        (_bytes, Characters) = (0, 0);
    }

    /// <summary>Writes a text; one that is too long for a line of a store becomes several.</summary>
    private int Store(ReadOnlyMemory<byte> text, string source, DocumentFields fields, Utf8JsonWriter json)
    {
        if (text.Length <= PlainTextReader.MostCharacters || Encoding.UTF8.GetCharCount(text.Span) <= PlainTextReader.MostCharacters)
        {
            Append(source, text.Span, fields, json);
            return 1;
        }
        int number = 0;
        foreach (string piece in Pieces(Encoding.UTF8.GetString(text.Span)))
            Append($"{source}#{++number}", Encoding.UTF8.GetBytes(piece), fields, json);
        return number;
    }

    private static IEnumerable<string> Pieces(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = Math.Min(PlainTextReader.MostCharacters, text.Length - at);
            if (at + length < text.Length && text.LastIndexOf('\n', at + length - 1, length / 2) is > 0 and var line)
                length = line + 1 - at;
            else if (char.IsHighSurrogate(text[at + length - 1]))
                length--;
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private void Append(string source, ReadOnlySpan<byte> text, DocumentFields fields, Utf8JsonWriter json)
    {
        ulong digest = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(source), (long)DigestOf(text));
        var document = new StoredDocument(digest.ToString("x16", CultureInfo.InvariantCulture), source, "", fields.Language)
        {
            SourceId = fields.SourceId,
            Url = fields.Url,
            Date = fields.Date,
            Score = fields.Score,
        };
        DocumentFileWriter.Append(document, text, json, _lines);
    }

    /// <summary>The digest of the text's UTF-16, from which ids have been made since the first store; counts its characters.</summary>
    private ulong DigestOf(ReadOnlySpan<byte> text)
    {
        _digest.Reset();
        while (!text.IsEmpty)
        {
            Utf8.ToUtf16(text, _characters, out int read, out int written);
            _digest.Append(MemoryMarshal.AsBytes(_characters.AsSpan(0, written)));
            Characters += written;
            text = text[read..];
        }
        return _digest.GetCurrentHashAsUInt64();
    }
}
