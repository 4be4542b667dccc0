namespace Uniscale.Collectives;

/// <summary>Memory that several ranks of one process read and write; freed when the last of them has let go of it.</summary>
public sealed class SharedMemory : IDisposable
{
    private readonly Action _letGo;
    private int _isDisposed;

    internal SharedMemory(nint address, Action letGo) => (Address, _letGo) = (address, letGo);

    /// <summary>First byte, on a boundary of 64 bytes; the same for every member.</summary>
    public nint Address { get; }

    /// <summary>This member needs it no more; nothing of it may refer to the memory.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
            _letGo();
    }
}
