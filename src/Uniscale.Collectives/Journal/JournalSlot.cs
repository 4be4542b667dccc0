using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Uniscale.Collectives.Journal;

/// <summary>A journal entry as it lies in memory and in the file: 128 bytes, no references.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal struct JournalSlot
{
    public const int SizeBytes = 128;

    private const int NameBytes = 72;

    public long Number;
    public long Sequence;
    public long Count;
    public long PostedTicks;
    public long ChangedTicks;
    public int Peer;
    public int Tag;
    public byte Kind;
    public byte Type;
    public byte Op;
    public byte State;
    public int NameLength;
    public NameBuffer Name;

    [InlineArray(NameBytes)]
    public struct NameBuffer
    {
        private byte _first;
    }

    /// <summary>The bytes can be an entry's: a torn or foreign file holds none.</summary>
    public readonly bool IsSound =>
        PostedTicks > 0
        && PostedTicks <= DateTime.MaxValue.Ticks
        && ChangedTicks >= 0
        && ChangedTicks <= DateTime.MaxValue.Ticks
        && NameLength is >= 0 and <= NameBytes
        && Enum.IsDefined((OperationKind)Kind)
        && Enum.IsDefined((ElementType)Type)
        && Enum.IsDefined((ReduceOp)Op)
        && Enum.IsDefined((OperationState)State);

    public static JournalSlot Create(long number, string group, long sequence, in OperationSignature signature)
    {
        long now = DateTime.UtcNow.Ticks;
        var slot = new JournalSlot
        {
            Number = number,
            Sequence = sequence,
            Count = signature.Count,
            PostedTicks = now,
            ChangedTicks = now,
            Peer = signature.Peer,
            Tag = signature.Tag,
            Kind = (byte)signature.Kind,
            Type = (byte)signature.Type,
            Op = (byte)signature.Op,
            State = (byte)OperationState.Posted,
        };
        Utf8.FromUtf16(group, slot.Name, out _, out slot.NameLength);
        return slot;
    }

    public readonly JournalEntry ToEntry()
    {
        ReadOnlySpan<byte> name = Name;
        var signature = new OperationSignature((OperationKind)Kind, Count, (ElementType)Type, (ReduceOp)Op, Peer, Tag);
        return new JournalEntry(
            Number,
            Encoding.UTF8.GetString(name[..NameLength]),
            Sequence,
            signature,
            (OperationState)State,
            new DateTimeOffset(PostedTicks, TimeSpan.Zero),
            new DateTimeOffset(ChangedTicks, TimeSpan.Zero)
        );
    }
}
