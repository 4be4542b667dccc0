namespace Uniscale.Collectives.InProcess;

/// <summary>Sender, receiver (members of the group) and tag.</summary>
internal readonly record struct Route(int From, int To, int Tag);

/// <summary>One side of a message.</summary>
internal sealed record Letter(InProcessOperation Operation, InProcessWork Work, CommBuffer Buffer);

/// <summary>Sends that wait for their receives and receives that wait for their sends; not thread-safe.</summary>
internal sealed class Mailbox
{
    private readonly Dictionary<Route, (bool AreSends, Queue<Letter> Letters)> _waiting = [];

    /// <summary>The oldest letter of the other side on a route, or null.</summary>
    public Letter? Other(Route route, bool isSend) =>
        _waiting.TryGetValue(route, out var queue) && queue.AreSends != isSend ? queue.Letters.Peek() : null;

    /// <summary>Takes the oldest letter of the other side, or leaves this one.</summary>
    public Letter? Match(Route route, bool isSend, Letter letter)
    {
        if (!_waiting.TryGetValue(route, out var queue))
            _waiting[route] = queue = (isSend, new Queue<Letter>());
        if (queue.AreSends == isSend)
        {
            queue.Letters.Enqueue(letter);
            return null;
        }
        var match = queue.Letters.Dequeue();
        if (queue.Letters.Count == 0)
            _waiting.Remove(route);
        return match;
    }

    /// <summary>True if a letter is from or for this member.</summary>
    public bool Involves(int member) => _waiting.Keys.Any(route => route.From == member || route.To == member);

    /// <summary>Empties the box.</summary>
    public IEnumerable<InProcessOperation> TakeAll()
    {
        var operations = _waiting.Values.SelectMany(queue => queue.Letters).Select(letter => letter.Operation).ToList();
        _waiting.Clear();
        return operations;
    }
}
