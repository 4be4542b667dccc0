using System.IO.MemoryMappedFiles;

namespace Uniscale.Collectives.Journal;

/// <summary>
/// The last operations of one rank in a ring that others can read while the rank hangs: from another thread, or from another
/// process once <see cref="AttachFile"/> has moved the ring into a memory-mapped file (which outlives a killed process).
/// </summary>
public sealed class CollectiveJournal : IDisposable
{
    /// <summary>Operations remembered.</summary>
    public const int Capacity = 256;

    private readonly Lock _gate = new();
    private readonly JournalSlot[] _slots = new JournalSlot[Capacity];
    private MemoryMappedViewAccessor? _file;
    private long _next;

    /// <summary>Notes a posted operation.</summary>
    /// <returns>The operation's number, for <see cref="Mark"/>.</returns>
    internal long Post(string group, long sequence, in OperationSignature signature)
    {
        lock (_gate)
        {
            long number = _next++;
            _slots[number % Capacity] = JournalSlot.Create(number, group, sequence, signature);
            Mirror(number);
            return number;
        }
    }

    /// <summary>Notes how far an operation has come; forgotten when the ring has moved on.</summary>
    internal void Mark(long number, OperationState state)
    {
        lock (_gate)
        {
            ref var slot = ref _slots[number % Capacity];
            if (slot.Number != number)
                return;
            slot.State = (byte)state;
            slot.ChangedTicks = DateTime.UtcNow.Ticks;
            Mirror(number);
        }
    }

    /// <summary>The remembered operations, oldest first.</summary>
    public IReadOnlyList<JournalEntry> Snapshot()
    {
        lock (_gate)
        {
            var entries = new List<JournalEntry>();
            for (long number = Math.Max(0, _next - Capacity); number < _next; number++)
                entries.Add(_slots[number % Capacity].ToEntry());
            return entries;
        }
    }

    /// <summary>Operations that were posted and have not ended, oldest first: what a rank that hangs is waiting for.</summary>
    public IReadOnlyList<JournalEntry> Pending() => Unfinished(Snapshot());

    /// <summary>Keeps the ring in a file from now on, so that another process can read it with <see cref="Read"/>.</summary>
    /// <exception cref="IOException">There is no room for the file; the ring in memory goes on.</exception>
    public void AttachFile(string path)
    {
        lock (_gate)
        {
            _file?.Dispose();
            _file = null;
            _file = ReservedFile.Create(path, Capacity * JournalSlot.SizeBytes);
            for (long number = Math.Max(0, _next - Capacity); number < _next; number++)
                Mirror(number);
        }
    }

    /// <summary>
    /// Reads the journal that another process keeps in a file; oldest first. None where the file is not there: its rank is starting, or had
    /// no room for it.
    /// </summary>
    public static IReadOnlyList<JournalEntry> Read(string path)
    {
        if (!File.Exists(path))
            return [];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] bytes = new byte[Capacity * JournalSlot.SizeBytes];
        int length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        var entries = new List<JournalEntry>();
        for (int at = 0; at + JournalSlot.SizeBytes <= length; at += JournalSlot.SizeBytes)
        {
            var slot = System.Runtime.InteropServices.MemoryMarshal.Read<JournalSlot>(bytes.AsSpan(at));
            if (slot.IsSound)
                entries.Add(slot.ToEntry());
        }
        entries.Sort((a, b) => a.Number.CompareTo(b.Number));
        return entries;
    }

    /// <summary>Operations that were posted and have not ended, oldest first.</summary>
    public static IReadOnlyList<JournalEntry> Unfinished(IReadOnlyList<JournalEntry> entries) =>
        [.. entries.Where(entry => entry.State is OperationState.Posted or OperationState.Started)];

    /// <summary>Lets go of the file; the ring in memory stays readable.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _file?.Dispose();
            _file = null;
        }
    }

    private void Mirror(long number) => _file?.Write(number % Capacity * JournalSlot.SizeBytes, ref _slots[number % Capacity]);
}
