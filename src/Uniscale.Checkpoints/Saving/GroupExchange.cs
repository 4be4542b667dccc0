using System.Runtime.InteropServices;
using System.Text;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Small exchanges of bytes between all ranks, for plans and verdicts. All are collective.</summary>
public static class GroupExchange
{
    /// <summary>
    /// Every rank's bytes on every rank, in rank order; lengths may differ. What a rank holds grows with the number of ranks.
    /// </summary>
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

    /// <summary>Every rank's bytes on rank 0, in rank order, along a binomial tree; null on the others.</summary>
    public static byte[][]? Gather(IProcessGroup group, byte[] bytes)
    {
        using var gathered = new MemoryStream();
        Append(bytes);
        for (int bit = 1; bit < group.Size; bit <<= 1)
        {
            if ((group.Rank & bit) != 0)
            {
                Send(group, gathered.ToArray(), group.Rank - bit);
                return null;
            }
            if (group.Rank + bit < group.Size)
                gathered.Write(Receive(group, group.Rank + bit));
        }
        return Parts(gathered.ToArray());

        void Append(byte[] part)
        {
            gathered.Write(BitConverter.GetBytes(part.Length));
            gathered.Write(part);
        }
    }

    /// <summary>Rank 0's bytes on every rank.</summary>
    public static byte[] Broadcast(IProcessGroup group, byte[] bytes)
    {
        if (group.Size == 1)
            return bytes;
        byte[] length = BitConverter.GetBytes((long)bytes.Length);
        OnNative(length, buffer => group.Broadcast(buffer, root: 0));
        byte[] all = new byte[BitConverter.ToInt64(length)];
        if (group.Rank == 0)
            bytes.CopyTo(all, 0);
        if (all.Length > 0)
            OnNative(all, buffer => group.Broadcast(buffer, root: 0));
        return all;
    }

    /// <summary>Rank 0's words on every rank.</summary>
    public static string Broadcast(IProcessGroup group, string words) =>
        Encoding.UTF8.GetString(Broadcast(group, Encoding.UTF8.GetBytes(words)));

    /// <summary>The largest of all ranks' numbers.</summary>
    public static int Max(IProcessGroup group, int number)
    {
        if (group.Size == 1)
            return number;
        byte[] bytes = BitConverter.GetBytes(number);
        OnNative(bytes, buffer => group.AllReduce(new CommBuffer(buffer.Address, 1, ElementType.Int32), ReduceOp.Max));
        return BitConverter.ToInt32(bytes);
    }

    private static byte[][] Parts(byte[] gathered)
    {
        var parts = new List<byte[]>();
        for (int at = 0; at < gathered.Length;)
        {
            int length = BitConverter.ToInt32(gathered, at);
            parts.Add(gathered[(at + sizeof(int))..(at + sizeof(int) + length)]);
            at += sizeof(int) + length;
        }
        return [.. parts];
    }

    /// <summary>Sends bytes to a rank, which calls <see cref="Receive"/>.</summary>
    internal static void Send(IProcessGroup group, byte[] bytes, int peer)
    {
        OnNative(BitConverter.GetBytes(bytes.Length), buffer => group.Send(buffer, peer));
        OnNative(bytes, buffer => group.Send(buffer, peer));
    }

    /// <summary>Receives bytes of a rank, which calls <see cref="Send"/>.</summary>
    internal static byte[] Receive(IProcessGroup group, int peer)
    {
        byte[] length = new byte[sizeof(int)];
        OnNative(length, buffer => group.Receive(buffer, peer));
        byte[] bytes = new byte[BitConverter.ToInt32(length)];
        OnNative(bytes, buffer => group.Receive(buffer, peer));
        return bytes;
    }

    // An operation on bytes in native memory, which come back as it leaves them.
    private static void OnNative(byte[] bytes, Func<CommBuffer, IWork> start)
    {
        nint memory = PageMemory.Allocate(bytes.Length);
        try
        {
            bytes.CopyTo(PageMemory.Span(memory, bytes.Length));
            start(new CommBuffer(memory, bytes.Length, ElementType.UInt8)).Wait();
            PageMemory.Span(memory, bytes.Length).CopyTo(bytes);
        }
        finally
        {
            PageMemory.Free(memory);
        }
    }

    private static byte[] AllGatherFixed(IProcessGroup group, byte[] bytes)
    {
        nint input = PageMemory.Allocate(bytes.Length);
        nint output = PageMemory.Allocate((long)bytes.Length * group.Size);
        try
        {
            bytes.CopyTo(PageMemory.Span(input, bytes.Length));
            group
                .AllGather(
                    new CommBuffer(input, bytes.Length, ElementType.UInt8),
                    new CommBuffer(output, (long)bytes.Length * group.Size, ElementType.UInt8)
                )
                .Wait();
            return PageMemory.Span(output, bytes.Length * group.Size).ToArray();
        }
        finally
        {
            PageMemory.Free(input);
            PageMemory.Free(output);
        }
    }
}
