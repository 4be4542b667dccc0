using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// A read-only memory-mapped file that refuses to be read once it is no longer the file that was opened: touching a page beyond the end of
/// a file that was cut would end the process, so size and time are compared before each read. A mapping keeps no file descriptor.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private readonly FileInfo _now; // refreshed under its own lock
    private readonly MemoryMappedViewAccessor? _view;
    private readonly DateTime _written;

    /// <exception cref="UserErrorException">The file cannot be opened or mapped.</exception>
    public MappedFile(string path)
    {
        Path = path;
        _now = new FileInfo(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            Length = stream.Length;
            _written = _now.LastWriteTimeUtc;
            if (Length == 0)
                return; // an empty file cannot be mapped
            using var map = MemoryMappedFile.CreateFromFile(
                stream,
                null,
                0,
                MemoryMappedFileAccess.Read,
                HandleInheritability.None,
                leaveOpen: true
            );
            _view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{path} cannot be mapped into memory ({error.Message.TrimEnd('.')}); check that it can be read, `ulimit -v`, and vm.max_map_count, of which every shard takes two.",
                error
            );
        }
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>Copies elements that begin at a byte offset.</summary>
    public void Read<T>(long offset, Span<T> destination)
        where T : unmanaged
    {
        if (destination.IsEmpty)
            return;
        long bytes = destination.Length * (long)Marshal.SizeOf<T>();
        if (_view is null || offset < 0 || offset > Length - bytes)
            throw new ArgumentOutOfRangeException(nameof(offset), $"{Path} has {Length} bytes; a read at {offset} goes beyond them.");
        _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)(offset + _view.PointerOffset), destination);
    }

    /// <summary>Refuses a file that was changed, cut, replaced or removed since it was opened.</summary>
    /// <exception cref="UserErrorException">The file is not what it was.</exception>
    public void CheckUnchanged()
    {
        lock (_now)
        {
            _now.Refresh();
            if (_now.Exists && _now.Length == Length && _now.LastWriteTimeUtc == _written)
                return;
        }
        throw new UserErrorException(
            $"{Path} was changed after the run opened it; the order of training data is no longer the recorded one. Restore the file and resume."
        );
    }

    public void Dispose() => _view?.Dispose();
}
