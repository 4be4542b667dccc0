using System.Buffers.Binary;
using System.Text;

namespace Uniscale.Telemetry.Tests.TensorBoard;

/// <summary>An event as read back.</summary>
internal sealed record ReadEvent(
    long Step,
    double WallTime,
    string? FileVersion,
    bool SessionStart,
    IReadOnlyList<(string Tag, float Value)> Scalars,
    IReadOnlyList<ReadHistogram> Histograms
);

/// <summary>A histogram as read back: least, greatest, how many, their sum, that of their squares; ends and counts of bins.</summary>
internal sealed record ReadHistogram(string Tag, double[] Figures, double[] UpTo, double[] Counts);

/// <summary>
/// Reads TensorBoard event files by their description, with a bitwise checksum of its own: nothing of it is shared with the writer.
/// </summary>
internal static class EventReader
{
    public static IReadOnlyList<ReadEvent> Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        var events = new List<ReadEvent>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Check(bytes.AsSpan(at, 8), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)));
            byte[] data = bytes.AsSpan(at + 12, length).ToArray();
            Check(data, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)));
            events.Add(Event(data));
            at += 16 + length;
        }
        return events;
    }

    private static ReadEvent Event(byte[] data)
    {
        var fields = Fields(data).ToArray();
        var values = fields
            .Where(field => field.Number == 5)
            .SelectMany(field => Fields(field.Bytes))
            .Where(field => field.Number == 1)
            .Select(value => Fields(value.Bytes).ToDictionary(field => field.Number))
            .ToArray();
        return new ReadEvent(
            fields.Where(field => field.Number == 2).Select(field => (long)field.Varint).FirstOrDefault(),
            BitConverter.ToDouble(fields.First(field => field.Number == 1).Bytes),
            fields.Where(field => field.Number == 3).Select(field => Encoding.UTF8.GetString(field.Bytes)).FirstOrDefault(),
            fields.Any(field => field.Number == 7 && Fields(field.Bytes).Any(status => status is { Number: 1, Varint: 1 })),
            [.. values.Where(value => value.ContainsKey(2)).Select(value => (TagOf(value), BitConverter.ToSingle(value[2].Bytes)))],
            [.. values.Where(value => value.ContainsKey(5)).Select(value => Histogram(TagOf(value), value[5].Bytes))]
        );
    }

    private static string TagOf(Dictionary<int, (int Number, ulong Varint, byte[] Bytes)> value) => Encoding.UTF8.GetString(value[1].Bytes);

    private static ReadHistogram Histogram(string tag, byte[] data)
    {
        var fields = Fields(data).ToDictionary(field => field.Number, field => field.Bytes);
        return new ReadHistogram(
            tag,
            [.. Enumerable.Range(1, 5).Select(field => BitConverter.ToDouble(fields[field]))],
            Doubles(fields[6]),
            Doubles(fields[7])
        );
    }

    private static double[] Doubles(byte[] packed) =>
        [.. Enumerable.Range(0, packed.Length / sizeof(double)).Select(i => BitConverter.ToDouble(packed, i * sizeof(double)))];

    private static IEnumerable<(int Number, ulong Varint, byte[] Bytes)> Fields(byte[] data)
    {
        for (int at = 0; at < data.Length;)
        {
            ulong key = Varint(data, ref at);
            switch (key & 7)
            {
                case 0:
                    yield return ((int)(key >> 3), Varint(data, ref at), []);
                    break;
                case 1:
                    yield return ((int)(key >> 3), 0, data[at..(at + 8)]);
                    at += 8;
                    break;
                case 5:
                    yield return ((int)(key >> 3), 0, data[at..(at + 4)]);
                    at += 4;
                    break;
                default:
                    int length = (int)Varint(data, ref at);
                    yield return ((int)(key >> 3), 0, data[at..(at + length)]);
                    at += length;
                    break;
            }
        }
    }

    private static ulong Varint(byte[] data, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = data[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }

    private static void Check(ReadOnlySpan<byte> data, uint masked)
    {
        uint unmasked = masked - 0xa282ead8u;
        Assert.Equal(Checksum(data), (unmasked << 15) | (unmasked >> 17));
    }

    /// <summary>CRC-32C (Castagnoli), bit by bit.</summary>
    internal static uint Checksum(ReadOnlySpan<byte> data)
    {
        uint crc = ~0u;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0x82f63b78u);
        }
        return ~crc;
    }
}
