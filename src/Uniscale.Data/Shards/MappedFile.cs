using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// A read-only memory-mapped file that refuses to be read once it is no longer the file that was opened: touching a page beyond the end of
/// a file that was cut would end the process, so size and time are compared before each read.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly DateTime _written;

    public MappedFile(string path)
    {
        Path = path;
        _stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        Length = _stream.Length;
        _written = File.GetLastWriteTimeUtc(path);
        if (Length == 0)
            return; // an empty file cannot be mapped
        _map = MemoryMappedFile.CreateFromFile(_stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>Copies elements that begin at a byte offset.</summary>
    public void Read<T>(long offset, Span<T> destination)
        where T : unmanaged
    {
        if (destination.IsEmpty)
            return;
        if (_view is null || offset < 0 || offset + destination.Length * (long)Marshal.SizeOf<T>() > Length)
            throw new ArgumentOutOfRangeException(nameof(offset), $"{Path} has {Length} bytes; a read at {offset} goes beyond them.");
        _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)(offset + _view.PointerOffset), destination);
    }

    /// <summary>Refuses a file that was changed, cut or replaced since it was opened.</summary>
    /// <exception cref="UserErrorException">The file is not what it was.</exception>
    public void CheckUnchanged()
    {
        if (RandomAccess.GetLength(_stream.SafeFileHandle) != Length || File.GetLastWriteTimeUtc(Path) != _written)
        {
            throw new UserErrorException(
                $"{Path} was changed after the run opened it; the order of training data is no longer the recorded one. Restore the file and resume.");
        }
    }

    public void Dispose()
    {
        _view?.Dispose();
        _map?.Dispose();
        _stream.Dispose();
    }
}
