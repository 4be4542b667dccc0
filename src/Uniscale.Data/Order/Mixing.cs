namespace Uniscale.Data;

/// <summary>Keyed 64-bit mixing: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), chained over the parts of a key.</summary>
internal static class Mixing
{
    public static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    public static ulong Key(params ReadOnlySpan<ulong> parts)
    {
        ulong key = 0;
        foreach (ulong part in parts)
            key = Mix(key ^ part);
        return key;
    }

    /// <summary>A key part from a name, the same on every machine (FNV-1a over UTF-16).</summary>
    public static ulong OfName(string name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in name)
            hash = (hash ^ c) * 0x100000001B3;
        return hash;
    }
}
