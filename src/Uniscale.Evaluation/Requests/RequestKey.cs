using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Uniscale.Evaluation.Requests;

/// <summary>Digests by which requests are named.</summary>
internal static class RequestKey
{
    /// <summary>The name of what a text and tokens make up.</summary>
    public static string Of(string text, IEnumerable<int> tokens)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(text));
        byte[] bytes = new byte[4];
        foreach (int token in tokens)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes, token);
            hash.AppendData(bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }
}
