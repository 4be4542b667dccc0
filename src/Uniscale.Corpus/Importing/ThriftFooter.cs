namespace Uniscale.Corpus;

/// <summary>
/// Walks through the metadata of a Parquet file (Thrift's compact protocol, thrift-compact-protocol.md) and reads nothing of it: a footer that does not close where it ends, or whose
/// lists are longer than the bytes there are, would keep a reader busy without end.
/// </summary>
internal ref struct ThriftFooter(ReadOnlySpan<byte> bytes)
{
    private const int MostNested = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    /// <summary>True where the bytes are one well-formed structure.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> bytes)
    {
        var walk = new ThriftFooter(bytes);
        return walk.Struct(MostNested) && walk._at == bytes.Length;
    }

    private bool Struct(int depth)
    {
        while (depth > 0 && Byte(out byte header))
        {
            if (header == 0)
                return true;
            // A field has its distance from the one before in the upper half, or its number as a varint.
            if ((header >> 4 == 0 && !Varint(out _)) || !Value(header & 15, depth, inList: false))
                return false;
        }
        return false;
    }

    private bool Value(int type, int depth, bool inList) => type switch
    {
        1 or 2 => !inList || Skip(1), // a field's truth is its type
        3 => Skip(1),
        4 or 5 or 6 => Varint(out _),
        7 => Skip(8),
        8 => Varint(out ulong length) && Skip(length),
        9 or 10 => List(depth - 1),
        11 => Map(depth - 1),
        12 => Struct(depth - 1),
        13 => Skip(16),
        _ => false,
    };

    private bool List(int depth)
    {
        if (depth <= 0 || !Byte(out byte header))
            return false;
        ulong count = (ulong)header >> 4;
        return (count < 15 || Varint(out count)) && Items(count, depth, header & 15);
    }

    private bool Map(int depth)
    {
        if (depth <= 0 || !Varint(out ulong count))
            return false;
        return count == 0 || (Byte(out byte types) && Items(count, depth, types >> 4, types & 15));
    }

    private bool Items(ulong count, int depth, params ReadOnlySpan<int> types)
    {
        if (count > (ulong)(_bytes.Length - _at))
            return false; // each takes a byte at least
        for (; count > 0; count--)
            foreach (int type in types)
                if (!Value(type, depth, inList: true))
                    return false;
        return true;
    }

    private bool Varint(out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 64 && Byte(out byte part); shift += 7)
        {
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return true;
        }
        return false;
    }

    private bool Byte(out byte value)
    {
        bool isThere = _at < _bytes.Length;
        value = isThere ? _bytes[_at++] : (byte)0;
        return isThere;
    }

    private bool Skip(ulong count)
    {
        if (count > (ulong)(_bytes.Length - _at))
            return false;
        _at += (int)count;
        return true;
    }
}
