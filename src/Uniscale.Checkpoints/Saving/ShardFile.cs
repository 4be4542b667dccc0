using Microsoft.Win32.SafeHandles;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Writes a rank's file and reads it back, in large sequential blocks.</summary>
internal sealed class ShardFile(string path, ShardImage image, bool direct, Action<SavePoint> probe)
{
    private const int BlockBytes = 8 << 20;

    /// <summary>Writes and syncs the file; digests are taken of the bytes that go to the disk.</summary>
    /// <param name="staged">The whole file in page-aligned memory, rounded up to a page; 0: it is taken from the slices block by
    /// block.</param>
    /// <param name="addresses">Memory of the slices, for a file that is not staged.</param>
    public ShardDigests Write(nint staged, IReadOnlyList<nint> addresses)
    {
        var digester = new ChunkDigester(image);
        using var file = OpenForWriting(out bool isDirect);
        using var bounce = new StagingBuffer();
        if (staged == 0)
            bounce.Reserve(BlockBytes, threads: 1);
        ShardDigests? digests = null;
        for (long offset = 0; offset < image.SizeBytes; offset += BlockBytes)
        {
            int count = (int)Math.Min(BlockBytes, image.SizeBytes - offset);
            int padded = isDirect ? (int)PageMemory.RoundUp(count, PageMemory.PageBytes) : count;
            var block = PageMemory.Span(staged == 0 ? bounce.Address : staged + (nint)offset, padded);
            if (staged == 0)
                image.CopyTo(addresses, offset, block);
            digester.Append(block);
            if (offset + count > image.TableStart)
                PutTable((digests ??= digester.Finish()).Table, offset, block);
            RandomAccess.Write(file, block, offset);
            if (offset == 0)
                probe(SavePoint.FirstBlockWritten);
        }
        if (isDirect)
            RandomAccess.SetLength(file, image.SizeBytes);
        probe(SavePoint.DataWritten);
        RandomAccess.FlushToDisk(file);
        probe(SavePoint.DataSynced);
        return digests ?? digester.Finish();
    }

    /// <summary>Reads the file, past the page cache where that is possible, and says whether it is what was written.</summary>
    public bool ReadsBackAs(ShardDigests written)
    {
        var digester = new ChunkDigester(image);
        using var file = OpenDirect(write: false) ?? File.OpenHandle(path);
        using var bounce = new StagingBuffer();
        bounce.Reserve(BlockBytes, threads: 1);
        var block = PageMemory.Span(bounce.Address, BlockBytes);
        byte[] table = new byte[written.Table.Length];
        for (long offset = 0; offset < image.SizeBytes;)
        {
            int count = RandomAccess.Read(file, block, offset);
            if (count == 0)
                throw new CheckpointDamagedException($"{path} ends at byte {offset} of {image.SizeBytes} when it is read back");
            digester.Append(block[..count]);
            long from = Math.Max(offset, image.TableStart),
                end = Math.Min(offset + count, image.SizeBytes);
            if (from < end)
                block[(int)(from - offset)..(int)(end - offset)].CopyTo(table.AsSpan((int)(from - image.TableStart)));
            offset += count;
        }
        return digester.Finish().SameAs(written) && table.AsSpan().SequenceEqual(written.Table);
    }

    // All slices come before the digests, so these are known when their first block is reached.
    private void PutTable(byte[] table, long offset, Span<byte> block)
    {
        long from = Math.Max(offset, image.TableStart),
            end = Math.Min(offset + block.Length, image.SizeBytes);
        table.AsSpan((int)(from - image.TableStart), (int)(end - from)).CopyTo(block[(int)(from - offset)..]);
    }

    private SafeFileHandle OpenForWriting(out bool isDirect)
    {
        var handle = OpenDirect(write: true);
        isDirect = handle is not null;
        return handle ?? File.OpenHandle(path, FileMode.Create, FileAccess.Write);
    }

    // Some file systems open a file for direct access and then refuse it, so one page is tried; what else is wrong shows in the ordinary
    // way.
    private SafeFileHandle? OpenDirect(bool write)
    {
        if (!direct || Posix.OpenDirect(path, write) is not { } handle)
            return null;
        using var page = new StagingBuffer();
        page.Reserve(PageMemory.PageBytes, threads: 1);
        try
        {
            var bytes = PageMemory.Span(page.Address, PageMemory.PageBytes);
            if (write)
                RandomAccess.Write(handle, bytes, 0);
            else
                _ = RandomAccess.Read(handle, bytes, 0);
            return handle;
        }
        catch (IOException)
        {
            handle.Dispose();
            return null;
        }
    }
}
