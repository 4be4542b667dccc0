using Microsoft.Win32.SafeHandles;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Loading;

/// <summary>A data file of a checkpoint, read in chunks whose digests are proved.</summary>
internal sealed class StoredFile : IDisposable
{
    private readonly string _path;
    private readonly FileRecord _record;
    private readonly SafeFileHandle _handle;

    private StoredFile(string path, FileRecord record, SafeFileHandle handle)
    {
        _path = path;
        _record = record;
        _handle = handle;
    }

    /// <summary>Opens a file and proves its size and, where asked, its header.</summary>
    public static StoredFile Open(string folder, FileRecord record, bool proveHeader)
    {
        string path = Path.Combine(folder, record.Name);
        SafeFileHandle handle;
        try
        {
            // A link would lead the reader out of the checkpoint.
            if (File.ResolveLinkTarget(path, returnFinalTarget: false) is { } target)
                throw new CheckpointDamagedException($"{path} is a link to {target.FullName}; a checkpoint holds its files itself");
            handle = File.OpenHandle(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw ReadFailure.Of($"{path} cannot be opened", failure);
        }
        var file = new StoredFile(path, record, handle);
        try
        {
            long size = RandomAccess.GetLength(handle);
            if (size != record.SizeBytes)
                throw new CheckpointDamagedException($"{path} has {size} bytes, {record.SizeBytes} were written");
            if (proveHeader)
                file.ProveHeader();
            return file;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The digests of a part's chunks, one after another.</summary>
    /// <param name="part">The part.</param>
    /// <param name="chunkCount">Its chunks.</param>
    public byte[] DigestsOf(StoredPart part, long chunkCount)
    {
        if (part.Digests is { } digits)
            return Convert.FromHexString(digits);
        byte[] digests = new byte[chunkCount * Digest.SizeBytes];
        ReadFully(digests, part.DigestsAt, "the digests");
        return digests;
    }

    /// <summary>Reads one chunk of a part and proves its digest.</summary>
    /// <returns>The chunk's bytes within <paramref name="buffer"/>.</returns>
    public ReadOnlySpan<byte> ReadChunk(
        string tensor,
        StoredPart part,
        long sizeBytes,
        int chunkBytes,
        long chunk,
        ReadOnlySpan<byte> digests,
        Span<byte> buffer
    )
    {
        long start = chunk * chunkBytes;
        var bytes = buffer[..(int)Math.Min(chunkBytes, sizeBytes - start)];
        ReadFully(bytes, part.Start + start, $"tensor '{tensor}'");
        if (!Digest.Fits(digests.Slice((int)chunk * Digest.SizeBytes, Digest.SizeBytes), bytes))
            throw new CheckpointDamagedException(
                $"{_path}: tensor '{tensor}' is not what was written (bytes {part.Start + start} to {part.Start + start + bytes.Length})"
            );
        return bytes;
    }

    /// <summary>Proves digests that lie in the file.</summary>
    public void ProveTable(DigestTable table)
    {
        byte[] bytes = new byte[table.SizeBytes];
        ReadFully(bytes, table.Start, "the digests");
        if (Digest.Of(bytes) != table.Digest)
            throw new CheckpointDamagedException($"{_path}: the digests are not what was written");
    }

    public void Dispose() => _handle.Dispose();

    private void ProveHeader()
    {
        byte[] header = new byte[_record.HeaderBytes];
        ReadFully(header, 0, "the header");
        if (Digest.Of(header) != _record.HeaderDigest)
            throw new CheckpointDamagedException($"{_path}: the header is not what was written");
    }

    private void ReadFully(Span<byte> bytes, long offset, string what)
    {
        try
        {
            for (int done = 0; done < bytes.Length;)
            {
                int count = RandomAccess.Read(_handle, bytes[done..], offset + done);
                if (count == 0)
                    throw new CheckpointDamagedException($"{_path} ends within {what}");
                done += count;
            }
        }
        catch (IOException failure)
        {
            throw ReadFailure.Of($"{_path}: {what} cannot be read", failure);
        }
    }
}
