using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>The checksum behind a block of an .xz file (The .xz File Format, 2.1.1.2 and 6).</summary>
internal abstract class XzCheck
{
    public const int MostBytes = 32;

    /// <exception cref="InvalidDataException">There is no such checksum.</exception>
    public static XzCheck Of(byte type) =>
        type switch
        {
            0 => new NoCheck(),
            1 => new OfCrc32(),
            4 => new OfCrc64(),
            10 => new OfSha256(),
            _ => throw new InvalidDataException($"xz: its checksums are of the unknown kind {type}"),
        };

    public abstract void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Writes the checksum of all bytes since the last.</summary>
    /// <returns>Its bytes.</returns>
    public abstract int GetAndReset(Span<byte> check);

    private sealed class NoCheck : XzCheck
    {
        public override void Append(ReadOnlySpan<byte> bytes) { }

        public override int GetAndReset(Span<byte> check) => 0;
    }

    private sealed class OfCrc32 : XzCheck
    {
        private readonly Crc32 _crc = new();

        public override void Append(ReadOnlySpan<byte> bytes) => _crc.Append(bytes);

        public override int GetAndReset(Span<byte> check) => _crc.GetHashAndReset(check);
    }

    /// <summary>CRC-64 of ECMA-182, reflected; System.IO.Hashing has the other direction.</summary>
    private sealed class OfCrc64 : XzCheck
    {
        private const ulong Polynomial = 0xC96C_5795_D787_0F42;

        private static readonly ulong[] Table = [.. Enumerable.Range(0, 256).Select(Entry)];

        private ulong _crc = ulong.MaxValue;

        public override void Append(ReadOnlySpan<byte> bytes)
        {
            ulong crc = _crc;
            foreach (byte b in bytes)
                crc = Table[(byte)crc ^ b] ^ (crc >> 8);
            _crc = crc;
        }

        public override int GetAndReset(Span<byte> check)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(check, ~_crc);
            _crc = ulong.MaxValue;
            return sizeof(ulong);
        }

        private static ulong Entry(int value)
        {
            ulong entry = (ulong)value;
            for (int bit = 0; bit < 8; bit++)
                entry = (entry & 1) != 0 ? (entry >> 1) ^ Polynomial : entry >> 1;
            return entry;
        }
    }

    private sealed class OfSha256 : XzCheck
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public override void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

        public override int GetAndReset(Span<byte> check) => _hash.GetHashAndReset(check);
    }
}
