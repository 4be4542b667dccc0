using System.Buffers.Binary;

namespace Uniscale.Telemetry.TensorBoard;

/// <summary>What stands in event files that are there already.</summary>
internal static class EventRecords
{
    private const int HeaderBytes = 12,
        TrailerBytes = 4,
        LongestRecord = 64 << 20;

    private const int StepField = 2,
        VarintWire = 0,
        FixedEightWire = 1,
        BytesWire = 2,
        FixedFourWire = 5;

    /// <summary>
    /// Takes the records of later steps out of a directory's files, so that a step that is done again stands there once, whoever reads
    /// them. A record that was cut
    /// off goes as well.
    /// </summary>
    /// <param name="directory">Directory of event files.</param>
    /// <param name="step">Last step that stays.</param>
    public static void KeepUntil(string directory, long step)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (string path in Directory.EnumerateFiles(directory, EventFile.Pattern).ToList())
            Keep(path, step);
    }

    private static void Keep(string path, long lastStep)
    {
        // TensorBoard reads whatever has the name of an event file in its own.
        string kept = Path.Combine(Path.GetDirectoryName(path)!, "kept.tmp");
        bool isLess = false;
        using (var input = File.OpenRead(path))
        using (var output = File.Create(kept))
        {
            foreach (byte[] record in Read(input))
            {
                if (StepOf(record.AsSpan(HeaderBytes..^TrailerBytes)) <= lastStep)
                    output.Write(record);
                else
                    isLess = true;
            }
            isLess |= input.Position != input.Length || output.Length != input.Length;
        }
        if (isLess)
            File.Move(kept, path, overwrite: true);
        else
            File.Delete(kept);
    }

    /// <summary>Whole records, up to one that is cut off or is none.</summary>
    private static IEnumerable<byte[]> Read(FileStream file)
    {
        byte[] header = new byte[HeaderBytes];
        while (file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(header);
            if (
                length > LongestRecord
                || BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8)) != EventFile.MaskedChecksum(header.AsSpan(0, 8))
            )
                yield break;
            byte[] record = new byte[HeaderBytes + (int)length + TrailerBytes];
            header.CopyTo(record, 0);
            if (
                file.ReadAtLeast(record.AsSpan(HeaderBytes), record.Length - HeaderBytes, throwOnEndOfStream: false)
                < record.Length - HeaderBytes
            )
                yield break;
            yield return record;
        }
    }

    /// <summary>The step of an Event message; 0 where it says none.</summary>
    private static long StepOf(ReadOnlySpan<byte> message)
    {
        for (int at = 0; at < message.Length;)
        {
            ulong tag = Varint(message, ref at);
            switch ((int)(tag & 7))
            {
                case VarintWire:
                    ulong value = Varint(message, ref at);
                    if (tag >> 3 == StepField)
                        return (long)value;
                    break;
                case FixedEightWire:
                    at += 8;
                    break;
                case FixedFourWire:
                    at += 4;
                    break;
                case BytesWire:
                    ulong length = Varint(message, ref at);
                    at = (int)Math.Min((ulong)message.Length, (ulong)at + Math.Min(length, LongestRecord));
                    break;
                default:
                    return 0;
            }
        }
        return 0;
    }

    private static ulong Varint(ReadOnlySpan<byte> message, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; at < message.Length && shift < 64; shift += 7)
        {
            byte part = message[at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                break;
        }
        return value;
    }
}
