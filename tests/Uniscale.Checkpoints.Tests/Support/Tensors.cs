using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tests.Support;

/// <summary>Host memory for slices. A tensor's values are a function of its name, the version and the global element.</summary>
internal sealed class Tensors : IDisposable
{
    private readonly List<nint> _memory = [];

    public List<StateSlice> Slices { get; } = [];

    /// <summary>Adds a slice; by default the whole tensor.</summary>
    /// <param name="name">Global name.</param>
    /// <param name="type">Type of an element.</param>
    /// <param name="shape">Global shape.</param>
    /// <param name="offset">Its place.</param>
    /// <param name="extent">Its extents.</param>
    /// <param name="holders">Ranks that hold it; by default all of the world for a whole tensor, this rank alone for a part.</param>
    public Tensors Add(string name, ElementType type, long[] shape, long[]? offset = null, long[]? extent = null, int[]? holders = null)
    {
        if (extent is null || extent.AsSpan().SequenceEqual(shape))
            holders ??= [.. Enumerable.Range(0, ThreadWorld.Size)];
        offset ??= new long[shape.Length];
        extent ??= shape;
        long bytes = extent.Aggregate(1L, (a, b) => a * b) * type.SizeBytes();
        nint address = PageMemory.Allocate(Math.Max(1, bytes));
        PageMemory.Span(address, (int)bytes).Fill(0xEE);
        _memory.Add(address);
        Slices.Add(new StateSlice(name, type, shape, offset, extent, address) { Holders = holders });
        return this;
    }

    /// <summary>Adds elements [start, start + count) of a whole tensor, as an optimizer shard holds them.</summary>
    public Tensors AddRange(string name, ElementType type, long[] shape, long start, long count)
    {
        nint address = PageMemory.Allocate(Math.Max(1, count * type.SizeBytes()));
        PageMemory.Span(address, (int)count * type.SizeBytes()).Fill(0xEE);
        _memory.Add(address);
        Slices.AddRange(FlatRange.Slices(name, type, shape, new long[shape.Length], shape, start, count, address));
        return this;
    }

    public Tensors Fill(int version)
    {
        foreach (var slice in Slices)
            ForElements(slice, version, static (expected, memory) => expected.CopyTo(memory));
        return this;
    }

    /// <summary>Makes numbers out of what is NaN or infinite, which no weight is: their exponents lose the highest bit.</summary>
    public Tensors Finite()
    {
        foreach (var slice in Slices)
            ForElements(slice, 0, static (_, memory) => memory[^1] &= 0xBF);
        return this;
    }

    /// <summary>The first slice that does not hold the values of a version, or null.</summary>
    public string? FirstDifference(int version)
    {
        string? difference = null;
        foreach (var slice in Slices)
        {
            ForElements(
                slice,
                version,
                (expected, memory) =>
                {
                    if (!expected.SequenceEqual(memory))
                        difference ??= slice.ToString();
                }
            );
        }
        return difference;
    }

    public CheckpointState State(long step) =>
        new()
        {
            Step = step,
            ConsumedTokens = step * 1000,
            ConfigurationYaml = "model:\n  hidden: 8 # \"quoted\" 中文\n",
            ConfigurationHash = "abc",
            DataFingerprint = "def",
            Extra = new Dictionary<string, string> { ["ledger"] = "{\"skipped\":[1,2]}" },
            Slices = Slices,
        };

    public void Dispose()
    {
        foreach (nint address in _memory)
            PageMemory.Free(address);
        _memory.Clear();
    }

    private delegate void Element(ReadOnlySpan<byte> expected, Span<byte> memory);

    private static void ForElements(StateSlice slice, int version, Element body)
    {
        int size = slice.Type.SizeBytes();
        long seed = (long)XxHash3.HashToUInt64(Encoding.UTF8.GetBytes($"{slice.Name}#{version}"));
        long[] index = (long[])slice.Offset.Clone();
        Span<byte> key = stackalloc byte[8];
        Span<byte> value = stackalloc byte[8];
        for (long i = 0; i < slice.Count; i++)
        {
            long linear = 0;
            for (int dim = 0; dim < index.Length; dim++)
                linear = linear * slice.GlobalShape[dim] + index[dim];
            BinaryPrimitives.WriteInt64LittleEndian(key, linear);
            BinaryPrimitives.WriteUInt64LittleEndian(value, XxHash3.HashToUInt64(key, seed));
            body(value[..size], PageMemory.Span(slice.Address + (nint)(i * size), size));
            for (int dim = index.Length - 1; dim >= 0 && ++index[dim] == slice.Offset[dim] + slice.Shape[dim]; dim--)
                index[dim] = slice.Offset[dim];
        }
    }
}
