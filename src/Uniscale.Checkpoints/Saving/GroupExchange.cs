using System.Runtime.InteropServices;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Small exchanges of bytes between all ranks, for plans and verdicts.</summary>
public static class GroupExchange
{
    /// <summary>Every rank's bytes on every rank, in rank order; lengths may differ.</summary>
    public static byte[][] AllGather(IProcessGroup group, byte[] bytes)
    {
        if (group.Size == 1)
            return [bytes];
        byte[] lengths = AllGatherFixed(group, BitConverter.GetBytes((long)bytes.Length));
        long[] counts = MemoryMarshal.Cast<byte, long>(lengths).ToArray();
        int width = Math.Max(1, (int)counts.Max());
        Array.Resize(ref bytes, width);
        byte[] all = AllGatherFixed(group, bytes);
        return [.. counts.Select((count, rank) => all.AsSpan(rank * width, (int)count).ToArray())];
    }

    private static byte[] AllGatherFixed(IProcessGroup group, byte[] bytes)
    {
        nint input = PageMemory.Allocate(bytes.Length);
        nint output = PageMemory.Allocate((long)bytes.Length * group.Size);
        try
        {
            bytes.CopyTo(PageMemory.Span(input, bytes.Length));
            group.AllGather(
                new CommBuffer(input, bytes.Length, ElementType.UInt8),
                new CommBuffer(output, (long)bytes.Length * group.Size, ElementType.UInt8)).Wait();
            return PageMemory.Span(output, bytes.Length * group.Size).ToArray();
        }
        finally
        {
            PageMemory.Free(input);
            PageMemory.Free(output);
        }
    }
}
