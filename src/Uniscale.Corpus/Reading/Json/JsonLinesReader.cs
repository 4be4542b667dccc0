namespace Uniscale.Corpus.Reading.Json;

/// <summary>JSON lines: an object a line. A line that is none is left out, and the others go on.</summary>
internal sealed class JsonLinesReader : IFormReader
{
    public string Form => "json lines";

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context) =>
        Objects(input).Select(line => new RawDocument(line.Place, line.Json.Length, () => JsonRecord.Of(line.Json, context)));

    /// <summary>The lines that hold something, each with its number.</summary>
    public static IEnumerable<(string Place, byte[] Json)> Objects(RawInput input)
    {
        var lines = new LineReader(input.Stream, input.Path, DocumentReader.MaxLineBytes);
        while (lines.TryRead(out var line))
        {
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            yield return ($"{lines.Number}", line.ToArray());
        }
    }
}
