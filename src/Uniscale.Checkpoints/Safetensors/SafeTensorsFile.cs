using Microsoft.Win32.SafeHandles;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Safetensors;

/// <summary>A tensor to be written: key, type, shape and host memory.</summary>
public sealed record SafeTensorsSource(string Name, ElementType Type, long[] Shape, nint Address);

/// <summary>A safetensors file, read tensor by tensor or in parts.</summary>
public sealed class SafeTensorsFile : IDisposable
{
    private const int BlockBytes = 16 << 20;

    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, SafeTensorsEntry> _entries;

    private SafeTensorsFile(string path, SafeFileHandle handle, SafeTensorsHeader header)
    {
        Path = path;
        _handle = handle;
        Header = header;
        _entries = header.Entries.ToDictionary(entry => entry.Name);
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>Its header, checked against the size of the file.</summary>
    public SafeTensorsHeader Header { get; }

    /// <summary>Opens a file and proves its header; throws <see cref="CheckpointDamagedException"/> for a malformed one.</summary>
    public static SafeTensorsFile Open(string path)
    {
        try
        {
            SafeTensorsHeader header;
            using (var stream = File.OpenRead(path))
                header = SafeTensorsHeader.Read(stream, path);
            return new SafeTensorsFile(path, File.OpenHandle(path), header);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointException($"{path} cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>Whether there is a tensor of a name.</summary>
    public bool Contains(string name) => _entries.ContainsKey(name);

    /// <summary>A tensor by name; throws <see cref="CheckpointMismatchException"/> where there is none.</summary>
    public SafeTensorsEntry this[string name] =>
        _entries.TryGetValue(name, out var entry) ? entry : throw new CheckpointMismatchException($"{Path} has no tensor '{name}'");

    /// <summary>Reads bytes of a tensor into host memory.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="destination">Receives as many bytes as it is long.</param>
    public void Read(SafeTensorsEntry entry, long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + destination.Length, entry.SizeBytes);
        for (int done = 0; done < destination.Length;)
        {
            int count = RandomAccess.Read(_handle, destination[done..], entry.Start + offset + done);
            if (count == 0)
                throw new CheckpointDamagedException($"{Path} ends within tensor '{entry.Name}'");
            done += count;
        }
    }

    /// <summary>Reads a whole tensor to an address.</summary>
    public void Read(SafeTensorsEntry entry, nint address)
    {
        for (long done = 0; done < entry.SizeBytes;)
        {
            int count = (int)Math.Min(BlockBytes, entry.SizeBytes - done);
            Read(entry, done, PageMemory.Span(address + (nint)done, count));
            done += count;
        }
    }

    /// <summary>Writes a file in one pass and syncs it; an existing one is replaced.</summary>
    public static void Write(string path, IReadOnlyList<SafeTensorsSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        byte[] header = SafeTensorsHeader.Build(
            tensors.Select(tensor => (tensor.Name, tensor.Type, tensor.Shape)),
            metadata ?? new Dictionary<string, string>()
        );
        using var handle = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.Write(handle, header, 0);
        long position = header.Length;
        foreach (var tensor in tensors)
        {
            long sizeBytes = Format.Box.CountOf(tensor.Shape) * tensor.Type.SizeBytes();
            for (long done = 0; done < sizeBytes;)
            {
                int count = (int)Math.Min(BlockBytes, sizeBytes - done);
                RandomAccess.Write(handle, PageMemory.Span(tensor.Address + (nint)done, count), position + done);
                done += count;
            }
            position += sizeBytes;
        }
        RandomAccess.FlushToDisk(handle);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
