using System.Globalization;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>A record of a WARC file.</summary>
/// <param name="Number">Its place in the file, from 1.</param>
/// <param name="Headers">Its named fields.</param>
/// <param name="Block">The bytes of its block; null where they were passed over.</param>
internal sealed record WarcRecord(long Number, WarcHeaders Headers, byte[]? Block)
{
    public string Type { get; } = Headers.Find("WARC-Type")?.ToLowerInvariant() ?? "";
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
            var headers = ReadHeaders(stream, number);
            if (!long.TryParse(headers.Find("Content-Length"), NumberStyles.None, CultureInfo.InvariantCulture, out long length))
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

    /// <summary>Takes the version line and all up to the empty line.</summary>
    private static WarcHeaders ReadHeaders(PeekStream stream, long number)
    {
        int version = 0,
            lines = 0; // bytes of the first line, and of all that are whole
        for (int size = 512; ; size *= 2)
        {
            var held = stream.Peek(size).Span;
            while (held[lines..].IndexOf((byte)'\n') is >= 0 and var end)
            {
                bool isLast = held[lines..][..end].TrimEnd((byte)'\r').IsEmpty;
                lines += end + 1;
                version = version == 0 ? lines : version;
                if (!isLast)
                    continue;
                var headers = new WarcHeaders(held[version..lines].ToArray());
                stream.Skip(lines);
                return headers.AreWhole ? headers : throw new InvalidDataException($"record {number} has a header that is none");
            }
            if (held.Length < size || size > MostHeaderBytes)
                throw Cut(number);
        }
    }
}
