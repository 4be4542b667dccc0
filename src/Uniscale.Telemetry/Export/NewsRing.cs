namespace Uniscale.Telemetry.Export;

/// <summary>
/// Hands news from the thread that trains to the thread that exports, without a lock, an allocation or a wait. Where the reader does not
/// keep up, what comes
/// is dropped and counted. One writer, one reader.
/// </summary>
internal sealed class NewsRing
{
    private readonly object?[] _slots;
    private long _written,
        _read,
        _dropped;

    /// <param name="size">News that wait at most; a power of two.</param>
    public NewsRing(int size)
    {
        if (!System.Numerics.BitOperations.IsPow2(size))
            throw new ArgumentOutOfRangeException(nameof(size));
        _slots = new object?[size];
    }

    /// <summary>News that were dropped.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Whether all has been read.</summary>
    public bool IsEmpty => Volatile.Read(ref _written) == Volatile.Read(ref _read);

    /// <summary>Leaves news for the reader.</summary>
    public void Write(object news)
    {
        long at = _written;
        if (at - Volatile.Read(ref _read) == _slots.Length)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            return;
        }
        _slots[at & (_slots.Length - 1)] = news;
        Volatile.Write(ref _written, at + 1);
    }

    /// <summary>Takes the oldest news; null: there are none.</summary>
    public object? Read()
    {
        long at = _read;
        if (at == Volatile.Read(ref _written))
            return null;
        ref object? slot = ref _slots[at & (_slots.Length - 1)];
        object? news = slot;
        slot = null;
        Volatile.Write(ref _read, at + 1);
        return news;
    }
}
