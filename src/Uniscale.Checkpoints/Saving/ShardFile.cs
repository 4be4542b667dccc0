using Microsoft.Win32.SafeHandles;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Writes a rank's file, or its part of its host's, and reads it back, in large sequential blocks.</summary>
internal sealed class ShardFile(string path, ShardImage image, bool direct, Action<SavePoint> probe)
{
    private const int LongestBlockBytes = 8 << 20;

    // Of whole pages, as the image is.
    private readonly int _blockBytes = (int)Math.Min(LongestBlockBytes, image.SizeBytes);

    /// <summary>Writes and syncs the file; digests are taken of the bytes that go to the disk.</summary>
    /// <param name="staged">The whole file in page-aligned memory, rounded up to a page; 0: it is taken from the slices block by
    /// block.</param>
    /// <param name="addresses">Memory of the slices, for a file that is not staged.</param>
    public ShardDigests Write(nint staged, IReadOnlyList<nint> addresses)
    {
        var digester = new ChunkDigester(image);
        using var file = OpenForWriting();
        using var bounce = new StagingBuffer();
        if (staged == 0)
            bounce.Reserve(_blockBytes, threads: 1);
        ShardDigests? digests = null;
        for (long offset = 0; offset < image.SizeBytes; offset += _blockBytes)
        {
            int count = (int)Math.Min(_blockBytes, image.SizeBytes - offset);
            // An image is whole pages, as direct writes must be.
            var block = PageMemory.Span(staged == 0 ? bounce.Address : staged + (nint)offset, count);
            if (staged == 0)
                image.CopyTo(addresses, offset, block);
            digester.Append(block);
            if (offset + count > image.TableStart)
                PutTable((digests ??= digester.Finish()).Table, offset, block);
            RandomAccess.Write(file, block, image.FileStart + offset);
            if (offset == 0)
                probe(SavePoint.FirstBlockWritten);
        }
        probe(SavePoint.DataWritten);
        RandomAccess.FlushToDisk(file);
        probe(SavePoint.DataSynced);
        return digests ?? digester.Finish();
    }

    /// <summary>Reads the file, past the page cache where that is possible, and says whether it is what was written.</summary>
    public bool ReadsBackAs(ShardDigests written)
    {
        var digester = new ChunkDigester(image);
        using var file = OpenDirect(write: false) ?? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var bounce = new StagingBuffer();
        bounce.Reserve(_blockBytes, threads: 1);
        var block = PageMemory.Span(bounce.Address, _blockBytes);
        byte[] table = new byte[written.Table.Length];
        for (long offset = 0; offset < image.SizeBytes;)
        {
            int count = RandomAccess.Read(file, block, image.FileStart + offset);
            if (count == 0)
                throw new CheckpointDamagedException($"{path} ends at byte {image.FileStart + offset} when it is read back");
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

    // The folder of an attempt is new, and so are its files; other ranks may be writing theirs into the same.
    private SafeFileHandle OpenForWriting() =>
        OpenDirect(write: true) ?? File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);

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
                RandomAccess.Write(handle, bytes, image.FileStart);
            else
                _ = RandomAccess.Read(handle, bytes, image.FileStart);
            return handle;
        }
        catch (IOException)
        {
            handle.Dispose();
            return null;
        }
    }
}
