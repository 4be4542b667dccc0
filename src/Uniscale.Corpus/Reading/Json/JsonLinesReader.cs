namespace Uniscale.Corpus.Reading.Json;

/// <summary>JSON lines: an object a line. A line that is none is left out, and the others go on.</summary>
internal sealed class JsonLinesReader : IFormReader
{
    public string Form => "json lines";

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        var lines = new LineReader(input.Stream, input.Path, DocumentReader.MaxLineBytes);
        while (lines.TryRead(out var line))
        {
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
                continue;
            byte[] held = line.ToArray();
            yield return new RawDocument($"{lines.Number}", held.Length, () => JsonRecord.Of(held, context));
        }
    }
}
