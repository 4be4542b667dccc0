using System.Numerics;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// A language model over characters (UTF-16 units): n-gram counts, interpolated from the longest context down to a uniform distribution
/// with the
/// weights of Witten and Bell (1991), p(c|h) = (count(hc) + types(h) p(c|h')) / (total(h) + types(h)). The probabilities of all characters
/// sum to 1.
/// Memory: 24 bytes a slot, at most two slots a node, at most 4M nodes.
/// </summary>
internal sealed class NgramModel
{
    private const int MaxNodes = 4 << 20;
    private const int MaxOrder = 8;
    private const double Uniform = 1.0 / 65536;

    private readonly int _order;
    private Node[] _nodes = new Node[1 << 16];
    private int _used;
    private Node _root;

    /// <param name="order">Characters of the longest n-gram, 1 to 8.</param>
    public NgramModel(int order) => _order = order is >= 1 and <= MaxOrder ? order : throw new ArgumentOutOfRangeException(nameof(order));

    /// <summary>Characters that the model has learnt from.</summary>
    public long Characters => _root.Total;

    /// <summary>Learns a text.</summary>
    public void Train(ReadOnlySpan<char> text)
    {
        Span<ulong> contexts = stackalloc ulong[MaxOrder + 1],
            grams = stackalloc ulong[MaxOrder + 1];
        contexts.Clear();
        int known = 0; // longest context
        for (int i = 0; i < text.Length; i++)
        {
            int longest = 0;
            ulong key = 0;
            for (int length = 1; length <= Math.Min(_order, known + 1); length++)
            {
                key = Extend(key, text[i - length + 1]);
                if (!TryCount(key, out bool isNew))
                    break;
                ref var context = ref length == 1 ? ref _root : ref Find(contexts[length - 1]);
                context.Total++;
                context.Types += isNew ? 1 : 0;
                grams[length] = key;
                longest = length;
            }
            grams.CopyTo(contexts);
            known = longest;
        }
    }

    /// <summary>Mean bits that a character of the text costs; 0 for an empty one.</summary>
    public double BitsPerCharacter(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            return 0;
        Span<Node> contexts = stackalloc Node[MaxOrder + 1],
            grams = stackalloc Node[MaxOrder + 1];
        contexts[0] = grams[0] = _root;
        double bits = 0;
        int known = 0;
        for (int i = 0; i < text.Length; i++)
        {
            double p = Uniform;
            int longest = 0;
            bool missing = false;
            ulong key = 0;
            for (int length = 1; length <= Math.Min(_order, known + 1); length++)
            {
                Node gram = default;
                if (!missing)
                {
                    key = Extend(key, text[i - length + 1]);
                    gram = Find(key);
                    missing = gram.Count == 0;
                }
                ref var context = ref contexts[length - 1];
                if (context.Total == 0)
                    break;
                p = (gram.Count + (context.Types * p)) / ((double)context.Total + context.Types);
                if (missing)
                    continue;
                grams[length] = gram;
                longest = length;
            }
            bits -= Math.Log2(p);
            grams[..(longest + 1)].CopyTo(contexts);
            known = longest;
        }
        return bits / text.Length;
    }

    private static ulong Extend(ulong key, char before) => Words.Mix(key + before + 1) | 1; // 0 marks a free slot

    private ref Node Find(ulong key)
    {
        for (int slot = (int)(key >> 1) & (_nodes.Length - 1); ; slot = (slot + 1) & (_nodes.Length - 1))
            if (_nodes[slot].Key == key || _nodes[slot].Key == 0)
                return ref _nodes[slot];
    }

    private bool TryCount(ulong key, out bool isNew)
    {
        ref var node = ref Find(key);
        isNew = node.Key == 0;
        if (isNew && _used >= MaxNodes)
            return false;
        if (isNew && ++_used * 2 > _nodes.Length)
        {
            Grow();
            node = ref Find(key);
        }
        node.Key = key;
        node.Count++;
        return true;
    }

    private void Grow()
    {
        var old = _nodes;
        _nodes = new Node[BitOperations.RoundUpToPowerOf2((uint)old.Length + 1)];
        foreach (var node in old)
            if (node.Key != 0)
                Find(node.Key) = node;
    }

    /// <summary>An n-gram: how often it was there, how often something followed, and how many different characters did.</summary>
    private struct Node
    {
        public ulong Key;
        public int Count;
        public int Total;
        public int Types;
    }
}
