using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Engine.Initialization;

/// <summary>
/// Standard normal numbers as a function of (seed, name, element): element e of a global tensor takes word (e / 8) mod 4 of Philox counter
/// 8·(e / 32) + e mod 8, made normal by the transformation of Box and Muller (1958). Any range can be computed alone, to the same bits.
/// </summary>
internal readonly struct NormalStream
{
    private const int BlockSize = 32;

    private readonly ulong _key;

    /// <param name="seed">Seed of the run.</param>
    /// <param name="name">Global name of the tensor.</param>
    public NormalStream(long seed, string name)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{name}"), digest);
        _key = BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    /// <summary>Elements [first, first + target.Length) times a standard deviation.</summary>
    public void Fill(Span<float> target, long first, float std)
    {
        Span<float> block = stackalloc float[BlockSize];
        while (target.Length > 0)
        {
            int skip = (int)(first % BlockSize);
            int count = Math.Min(BlockSize - skip, target.Length);
            ulong counter = (ulong)(first / BlockSize) * (BlockSize / 4);
            if (count == BlockSize)
            {
                Block(counter, std, target);
            }
            else
            {
                Block(counter, std, block);
                block.Slice(skip, count).CopyTo(target);
            }
            target = target[count..];
            first += count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Block(ulong counter, float std, Span<float> target)
    {
        var (w0, w1, w2, w3) = Philox.Eight(counter, _key);
        var (n0, n1) = BoxMuller(w0, w1, std);
        var (n2, n3) = BoxMuller(w2, w3, std);
        n0.CopyTo(target);
        n1.CopyTo(target[8..]);
        n2.CopyTo(target[16..]);
        n3.CopyTo(target[24..]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> First, Vector256<float> Second) BoxMuller(Vector256<uint> a, Vector256<uint> b, float std)
    {
        // 24 bits each: u in (0, 1] so that its logarithm is finite, the angle in [−π, π).
        var u = (Vector256.ConvertToSingle((a >>> 8).AsInt32()) + Vector256<float>.One) * (1f / (1 << 24));
        var angle = (Vector256.ConvertToSingle((b >>> 8).AsInt32()) * (2f / (1 << 24)) - Vector256<float>.One) * float.Pi;
        var radius = Vector256.Sqrt(Vector256.Log(u) * -2f) * std;
        var (sine, cosine) = Vector256.SinCos(angle);
        return (radius * cosine, radius * sine);
    }
}
