using System.Text;
using System.Text.Unicode;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>Common Crawl's text (WET): the block of each conversion record is a page's text.</summary>
internal sealed class WetReader : IFormReader
{
    public string Form => "wet";

    /// <summary>True for a WARC file of whose first records one is a text.</summary>
    public static bool Is(ReadOnlySpan<byte> head) => WarcRecords.IsMagic(head) && head.IndexOf("WARC-Type: conversion"u8) >= 0;

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        foreach (var record in WarcRecords.Read(input.Stream, type => type == "conversion"))
        {
            if (record.Type == "warcinfo")
                continue;
            if (record.Block is not { } block)
            {
                yield return RawDocument.Left(
                    $"{record.Number}",
                    record.Type == "conversion" ? "records too long for a document" : $"records of type {record.Type}"
                );
                continue;
            }
            yield return new RawDocument($"{record.Number}", block.Length, () => Extract(block, record, context));
        }
    }

    /// <summary>The text of a conversion record, decoded where its bytes say how.</summary>
    public static Extracted Extract(byte[] block, WarcRecord record, ReadingContext context)
    {
        if (!Utf8.IsValid(block))
        {
            if (RawText.Decode(block, out _) is not { } decoded)
                return Extracted.Left("records of unknown encoding");
            block = Encoding.UTF8.GetBytes(decoded);
        }
        return Utf8Text.IsBlank(block)
            ? Extracted.Left("records without text")
            : new Extracted(block, WarcReader.FieldsOf(record, context));
    }
}

/// <summary>A crawl with its pages as they came (WARC): of each HTTP response with a page of HTML, its main text.</summary>
internal sealed class WarcReader : IFormReader
{
    public string Form => "warc";

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        foreach (var record in WarcRecords.Read(input.Stream, type => type is "response" or "conversion"))
        {
            string place = $"{record.Number}";
            if (record.Type == "warcinfo")
                continue;
            if (record.Block is not { } block)
                yield return RawDocument.Left(
                    place,
                    record.Type is "response" or "conversion" ? "records too long for a document" : $"records of type {record.Type}"
                );
            else if (record.Type == "conversion")
                yield return new RawDocument(place, block.Length, () => WetReader.Extract(block, record, context));
            else
                yield return new RawDocument(place, block.Length, () => Page(block, record, context));
        }
    }

    /// <summary>What a record's header says.</summary>
    public static DocumentFields FieldsOf(WarcRecord record, ReadingContext context)
    {
        string? Header(string field, string name) =>
            context.Keeps(field) && record.Headers.Find(name) is { Length: > 0 } value ? value : null;
        return new DocumentFields(
            Header(FieldNames.Id, "WARC-Record-ID")?.Trim('<', '>'),
            Header(FieldNames.Url, "WARC-Target-URI"),
            Header(FieldNames.Language, "WARC-Identified-Content-Language")
                ?? Header(FieldNames.Language, "WARC-Identified-Content-Languages"),
            Header(FieldNames.Date, "WARC-Date")
        );
    }

    private static Extracted Page(byte[] block, WarcRecord record, ReadingContext context)
    {
        if (HttpResponse.Parse(block) is not { } response)
            return Extracted.Left("responses that are no HTTP");
        if (response.Status != 200)
            return Extracted.Left("responses without success");
        if (!response.IsHtml)
            return Extracted.Left("responses that are no HTML");
        if (response.Body() is not { } body)
            return Extracted.Left("responses whose body is damaged");
        if (RawText.Decode(body, out bool isRepaired, response.Charset) is not { } html)
            return Extracted.Left("records of unknown encoding");
        string text = MarkupText.Extract(html);
        return string.IsNullOrWhiteSpace(text)
            ? Extracted.Left("records without text")
            : Extracted.Of(text, FieldsOf(record, context), isRepaired && response.Charset is null);
    }
}
