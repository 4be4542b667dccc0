using Uniscale.Mpi.Native;

namespace Uniscale.Mpi;

/// <summary>
/// Ranks that communicate through MPI, on raw memory. Counts are elements and 64 bits wide. Every method throws <see cref="MpiException"/>
/// naming rank, operation and size when MPI reports an error.
/// </summary>
public sealed unsafe partial class MpiCommunicator : IDisposable
{
    private readonly MpiLoaded _mpi;
    private readonly bool _owned;
    private nint _handle;

    internal MpiCommunicator(MpiLoaded mpi, nint handle, string name, bool owned)
    {
        _mpi = mpi;
        _handle = handle;
        _owned = owned;
        Name = name;
        mpi.Binding.Rank(handle, out int rank);
        mpi.Binding.Size(handle, out int size);
        (Rank, Size) = (rank, size);
        mpi.Direct.CommSetErrorHandler(handle, mpi.Handles.ErrorsReturn);
    }

    /// <summary>Any sender, for <see cref="StartReceive"/>.</summary>
    public const int AnyRank = -1;

    /// <summary>Name for messages.</summary>
    public string Name { get; }

    /// <summary>This rank's place.</summary>
    public int Rank { get; }

    /// <summary>Number of members.</summary>
    public int Size { get; }

    /// <summary>
    /// Makes communicators of the ranks that give the same colour, ordered by key; null for a rank without a colour. All members call it.
    /// </summary>
    public MpiCommunicator? Split(int? color, int key, string name)
    {
        Check(_mpi.Binding.Split(_handle, color ?? _mpi.Handles.Undefined, key, out nint handle), new("split", 0, MpiElement.UInt8));
        return color is null ? null : new MpiCommunicator(_mpi, handle, name, owned: true);
    }

    /// <summary>The same members with a message space of their own. All members call it.</summary>
    public MpiCommunicator Duplicate(string name)
    {
        Check(_mpi.Binding.Duplicate(_handle, out nint handle), new("duplicate", 0, MpiElement.UInt8));
        return new MpiCommunicator(_mpi, handle, name, owned: true);
    }

    /// <summary>Gives the communicator back; all members do.</summary>
    public void Dispose()
    {
        if (!_owned || _handle == 0)
            return;
        nint handle = _handle;
        _handle = 0;
        Check(_mpi.Binding.Free(ref handle), new("free", 0, MpiElement.UInt8));
    }

    internal string Describe(in MpiCall call) => $"rank {Rank} of {Name} ({Size} ranks): {call}";

    private void Check(int code, in MpiCall call)
    {
        if (code != 0)
            throw new MpiException($"{Describe(call)}: {_mpi.ErrorText(code)}");
    }
}
