namespace Uniscale.Programs;

/// <summary>How much room the keys and values of a sequence get, which grows by copying.</summary>
public static class CacheRoom
{
    private const int Smallest = 64;

    /// <summary>Room for so many tokens, and as many again, so that it seldom grows.</summary>
    /// <param name="tokens">Tokens that must fit.</param>
    /// <param name="capacity">Tokens that will ever come.</param>
    public static long For(long tokens, long capacity) => Math.Min(capacity, Math.Max(Smallest, 2 * tokens));
}
