namespace Uniscale.Dashboard.Reading;

/// <summary>Lines of a large metrics file, evenly spread over it: enough to draw its curves before it is read.</summary>
internal static class MetricsSample
{
    private const int Places = 1_000,
        BlockBytes = 8 << 10,
        TailBytes = 256 << 10;

    /// <summary>Reads a block at each place, and of it the first whole line; the end of the file wholly.</summary>
    public static RunSeries Read(FileStream stream)
    {
        var (series, record, block) = (new RunSeries(), new MetricRecord(), new byte[BlockBytes]);
        long length = stream.Length,
            last = -1,
            end = Math.Max(0, length - TailBytes);
        for (int place = 0; place < Places; place++)
        {
            stream.Position = end / Places * place;
            int count = stream.ReadAtLeast(block, block.Length, throwOnEndOfStream: false);
            if (LineOf(block.AsSpan(0, count), place == 0) is { Length: > 0 } line && record.Read(line) && IsNext(record, ref last))
                series.Add(record);
        }
        AddTail(stream, end, series, record, last);
        return series;
    }

    /// <summary>What the last lines tell.</summary>
    private static void AddTail(FileStream stream, long from, RunSeries series, MetricRecord record, long last)
    {
        byte[] tail = new byte[stream.Length - from];
        stream.Position = from;
        var rest = tail.AsSpan(0, stream.ReadAtLeast(tail, tail.Length, throwOnEndOfStream: false));
        bool isFirst = from > 0;
        for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
        {
            if (!isFirst && record.Read(rest[..end]) && IsNext(record, ref last))
                series.Add(record);
            isFirst = false;
        }
    }

    private static bool IsNext(MetricRecord record, ref long last)
    {
        if (record.Kind != RecordKind.Step)
            return true;
        if (record.Step <= last)
            return false;
        last = record.Step;
        return true;
    }

    private static ReadOnlySpan<byte> LineOf(ReadOnlySpan<byte> block, bool isAtStart)
    {
        int start = isAtStart ? 0 : block.IndexOf((byte)'\n') + 1;
        if (start == 0 && !isAtStart)
            return [];
        int length = block[start..].IndexOf((byte)'\n');
        return length < 0 ? [] : block.Slice(start, length);
    }
}
