using System.Globalization;
using System.Text;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>A record of a WARC file.</summary>
/// <param name="Number">Its place in the file, from 1.</param>
/// <param name="Headers">Its named fields, in any case.</param>
/// <param name="Block">The bytes of its block; null where they were passed over.</param>
internal sealed record WarcRecord(long Number, IReadOnlyDictionary<string, string> Headers, byte[]? Block)
{
    public string Type => Headers.GetValueOrDefault("WARC-Type", "").ToLowerInvariant();
}

/// <summary>
/// Walks through the records of a WARC file (ISO 28500, WARC/1.0 and 1.1): a version line, named fields, an empty line, a block of exactly
/// Content-Length bytes, two line ends. What stands in a
/// block is never looked at: a page may hold the line "WARC/1.0".
/// </summary>
internal static class WarcRecords
{
    private const int MostHeaderBytes = 1 << 20;

    public static bool IsMagic(ReadOnlySpan<byte> head) => head.StartsWith("WARC/1."u8) || head.StartsWith("WARC/0."u8);

    /// <summary>
    /// The records; blocks of those whose type is not wanted, and of those longer than a document may be, are passed over.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is cut, or is no WARC from a place on.</exception>
    public static IEnumerable<WarcRecord> Read(PeekStream stream, Func<string, bool> isWanted)
    {
        for (long number = 1; SkipLineEnds(stream); number++)
        {
            if (!IsMagic(stream.Peek(8).Span))
                throw new InvalidDataException($"record {number} does not begin with WARC/1");
            ReadLine(stream, number);
            var headers = ReadHeaders(stream, number);
            if (
                !headers.TryGetValue("Content-Length", out string? text)
                || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long length)
            )
                throw new InvalidDataException($"record {number} does not say how long it is");
            var record = new WarcRecord(number, headers, null);
            if (isWanted(record.Type) && length <= DocumentReader.MaxLineBytes)
            {
                byte[] block = GC.AllocateUninitializedArray<byte>((int)Math.Min(length, Array.MaxLength));
                if (stream.ReadAtLeast(block, block.Length, throwOnEndOfStream: false) < block.Length)
                    throw Cut(number);
                record = record with { Block = block };
            }
            else if (stream.SkipAny(length) < length)
            {
                throw Cut(number);
            }
            if (!stream.Peek(4).Span.SequenceEqual("\r\n\r\n"u8) && !stream.Peek(2).Span.SequenceEqual("\n\n"u8))
                throw stream.Peek(4).Length < 4 ? Cut(number) : new InvalidDataException($"record {number} is longer than it says");
            yield return record;
        }
    }

    private static InvalidDataException Cut(long number) => new($"it is cut within record {number}");

    private static bool SkipLineEnds(PeekStream stream)
    {
        while (stream.Peek(1).Span is [(byte)'\r' or (byte)'\n'])
            stream.Skip(1);
        return !stream.Peek(1).IsEmpty;
    }

    private static Dictionary<string, string> ReadHeaders(PeekStream stream, long number)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        string? last = null;
        while (ReadLine(stream, number) is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (line[0] is ' ' or '\t' && last is not null)
                headers[last] += " " + line.Trim();
            else if (colon > 0)
                headers[last = line[..colon].Trim()] = line[(colon + 1)..].Trim();
            else
                throw new InvalidDataException($"record {number} has a header that is none");
        }
        return headers;
    }

    private static string ReadLine(PeekStream stream, long number)
    {
        for (int size = 256; ; size *= 2)
        {
            var held = stream.Peek(size).Span;
            int end = held.IndexOf((byte)'\n');
            if (end >= 0)
            {
                string line = Encoding.UTF8.GetString(held[..end].TrimEnd((byte)'\r'));
                stream.Skip(end + 1);
                return line;
            }
            if (held.Length < size || size > MostHeaderBytes)
                throw Cut(number);
        }
    }
}
