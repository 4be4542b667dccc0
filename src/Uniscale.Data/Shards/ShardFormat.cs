namespace Uniscale.Data;

/// <summary>How a token is stored; the values are the type codes of Megatron's index files.</summary>
public enum TokenType : byte
{
    /// <summary>One byte, without sign.</summary>
    UInt8 = 1,

    /// <summary>One byte.</summary>
    Int8 = 2,

    /// <summary>Two bytes.</summary>
    Int16 = 3,

    /// <summary>Four bytes.</summary>
    Int32 = 4,

    /// <summary>Eight bytes.</summary>
    Int64 = 5,

    /// <summary>Two bytes, without sign.</summary>
    UInt16 = 8,
}

/// <summary>
/// A shard is the pair PREFIX.bin (tokens, nothing else) and PREFIX.idx (where sequences and documents begin), in the format of
/// Megatron-LM's
/// indexed dataset. Index, little endian: magic (9 bytes), u64 version, u8 type, u64 sequences, u64 document marks, then i32 length of each
/// sequence,
/// i64 byte offset of each sequence, i64 marks (sequence number at which each document begins, and the sequence count at last).
/// </summary>
internal static class ShardFormat
{
    public const int HeaderBytes = 34;
    public const ulong Version = 1;

    /// <summary>Smallest vocabulary whose tokens are stored in 32 bits, Megatron's own threshold.</summary>
    public const int WideVocabulary = 65_500;

    public static ReadOnlySpan<byte> Magic => "MMIDIDX\0\0"u8;

    public static string BinPath(string prefix) => prefix + ".bin";

    public static string IndexPath(string prefix) => prefix + ".idx";

    public static int WidthOf(TokenType type) =>
        type switch
        {
            TokenType.UInt8 or TokenType.Int8 => 1,
            TokenType.Int16 or TokenType.UInt16 => 2,
            TokenType.Int32 => 4,
            TokenType.Int64 => 8,
            _ => 0,
        };

    /// <summary>Removes a trailing .bin or .idx, so that users may name either file of the pair.</summary>
    public static string PrefixOf(string path) =>
        path.EndsWith(".bin", StringComparison.Ordinal) || path.EndsWith(".idx", StringComparison.Ordinal) ? path[..^4] : path;
}
