using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>What wikiextractor writes: &lt;doc id url title&gt;, lines, &lt;/doc&gt;. (What it writes with --json is JSON lines.)</summary>
internal sealed partial class WikiExtractorReader : IFormReader
{
    public string Form => "wikiextractor";

    public static bool Is(ReadOnlySpan<byte> head) => head.StartsWith("<doc id=\""u8);

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        var lines = new LineReader(input.Stream, input.Path, DocumentReader.MaxLineBytes);
        var text = new MemoryStream();
        string? opening = null;
        for (long number = 0; lines.TryRead(out var line);)
        {
            if (opening is null)
            {
                if (line.Span.Trim(" \t\r"u8).IsEmpty)
                    continue;
                if (!line.Span.StartsWith("<doc "u8))
                    throw new InvalidDataException($"line {lines.Number} stands between documents");
                opening = Encoding.UTF8.GetString(line.Span);
                text.SetLength(0);
                number++;
            }
            else if (line.Span.TrimEnd((byte)'\r').SequenceEqual("</doc>"u8))
            {
                (string attributes, byte[] bytes) = (opening, text.ToArray());
                opening = null;
                yield return new RawDocument($"{number}", bytes.Length, () => Extract(attributes, bytes, context));
            }
            else
            {
                if (text.Length > DocumentReader.MaxLineBytes)
                    throw new InvalidDataException("a document never ends");
                text.Write(line.Span);
                text.WriteByte((byte)'\n');
            }
        }
        if (opening is not null)
            throw new InvalidDataException("it is cut within a document");
    }

    private static Extracted Extract(string attributes, byte[] bytes, ReadingContext context)
    {
        if (RawText.Decode(bytes, out bool isRepaired) is not { } text)
            return Extracted.Left("text of unknown encoding");
        text = WebUtility.HtmlDecode(text).Trim('\n');
        string? Attribute(string field, string name) =>
            context.Keeps(field) && Attributes().Matches(attributes).FirstOrDefault(match => match.Groups[1].Value == name) is { } match
                ? WebUtility.HtmlDecode(match.Groups[2].Value)
                : null;
        return string.IsNullOrWhiteSpace(text)
            ? Extracted.Left("no text")
            : Extracted.Of(
                text,
                new DocumentFields(Attribute(FieldNames.Id, "id"), Attribute(FieldNames.Url, "url")),
                isRepaired: isRepaired
            );
    }

    [GeneratedRegex("""(\w+)="([^"]*)""")]
    private static partial Regex Attributes();
}
