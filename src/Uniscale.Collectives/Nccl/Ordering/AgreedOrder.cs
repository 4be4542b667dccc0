namespace Uniscale.Collectives.Nccl.Ordering;

/// <summary>
/// The ranks agree on one order for all operations of all groups, before they launch (Skeen's total order). Once every member has posted an
/// operation, each gives it a stamp above all that it knows; the greatest is the operation's place. A rank launches in the order of the
/// places, and none before a stamp that may still grow. So a posting order that is right for messages and threads is right for devices.
/// </summary>
internal sealed class AgreedOrder<T>(int worldRank) : ILaunchOrder<T>
    where T : IOrderedOperation
{
    private readonly Dictionary<Route, Queue<Agreement>> _routes = [];
    private readonly List<Agreement> _fixed = [];
    private readonly HashSet<T> _waiting = [];
    private readonly StampClock _clock = new(worldRank);

    public IReadOnlyCollection<T> Waiting => _waiting;

    public void Enter(T operation)
    {
        var signature = operation.Signature;
        var route = signature.IsMessage
            ? new Route(operation.Control, (int)signature.Kind, signature.Peer, signature.Tag)
            : new Route(operation.Control, -1, -1, 0);
        if (!_routes.TryGetValue(route, out var queue))
            _routes[route] = queue = new();
        queue.Enqueue(new Agreement(operation, _clock));
        _waiting.Add(operation);
    }

    public bool Advance()
    {
        bool moved = false;
        foreach (var queue in _routes.Values)
        {
            // One after the other: what two ranks say to each other on a route cannot be mixed up.
            while (queue.TryPeek(out var agreement))
            {
                bool wasFixed = agreement.IsFixed;
                moved |= agreement.Advance();
                if (agreement.IsFixed && !wasFixed)
                    _fixed.Add(agreement);
                if (!agreement.IsOver)
                    break;
                queue.Dequeue().Dispose();
            }
        }
        return moved;
    }

    public bool TryTake(List<T> together)
    {
        if (_fixed.Count == 0)
            return false;
        long next = _fixed.Min(agreement => agreement.Stamp);
        foreach (var queue in _routes.Values)
            if (queue.TryPeek(out var agreement) && agreement.IsPending && agreement.Stamp <= next)
                return false;
        // A message to oneself has both its sides at one place.
        foreach (var agreement in _fixed.Where(agreement => agreement.Stamp == next))
            together.Add((T)agreement.Operation);
        _fixed.RemoveAll(agreement => agreement.Stamp == next);
        _waiting.ExceptWith(together);
        return true;
    }

    /// <summary>Operations whose order the group keeps: its collectives, or messages between two ranks with one tag.</summary>
    private readonly record struct Route(IProcessGroup Group, int Kind, int Peer, int Tag);
}
