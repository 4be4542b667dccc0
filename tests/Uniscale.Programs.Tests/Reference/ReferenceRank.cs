namespace Uniscale.Programs.Tests.Reference;

/// <summary>One rank of <see cref="ReferenceWorld"/>.</summary>
internal sealed class ReferenceRank
{
    private readonly ReferenceWorld _world;
    private readonly StepSpecification _spec;
    private readonly RankGroups _groups;
    private readonly int _rank;
    private readonly int[] _blocks;
    private readonly HashSet<int> _loaded = [];
    private readonly Dictionary<(int, int), ReferenceWorld.Receipt> _activations = [];
    private readonly Dictionary<(int, int), ReferenceWorld.Receipt> _gradients = [];

    /// <summary>Outputs and input gradients that are alive, by (block, microbatch).</summary>
    private readonly Dictionary<(int, int), string> _outputs = [];
    private readonly Dictionary<(int, int), string> _inputGradients = [];

    /// <summary>What forward passes and split backward passes keep: at most one of each (block, microbatch).</summary>
    private readonly HashSet<(int, int)> _kept = [];
    private readonly HashSet<(int, int)> _left = [];
    private readonly Dictionary<int, List<string>> _accumulated = [];
    private readonly Dictionary<int, List<string>> _reduced = [];
    private readonly Dictionary<int, string> _versions = [];
    private readonly Dictionary<int, string> _wholeVersions = [];
    private readonly HashSet<int> _whole = [];
    private readonly HashSet<int> _compared = [];
    private string? _tokenCount;
    private bool _normed;

    public ReferenceRank(ReferenceWorld world, int rank)
    {
        (_world, _spec, _rank) = (world, world.Spec, rank);
        _groups = RankGroups.Of(_spec, rank);
        _blocks = StagePartition.Of(_spec).BlocksOf(_spec.Mesh.CoordinateOf(rank).Pipeline).ToArray();
        foreach (int block in _blocks)
        {
            (_accumulated[block], _reduced[block]) = ([], []);
            (_versions[block], _wholeVersions[block]) = ("old", "old");
            if (_spec.Sharding < 3)
                _whole.Add(block);
        }
    }

    private int Head => _spec.Model.Head;

    private Coordinate Place => _spec.Mesh.CoordinateOf(_rank);

    private string Replica => $"d{Place.Data}c{Place.Context}";

    private bool HeadUsesEmbeddingHere => _spec.Model.TiedEmbeddings && _spec.Mesh.Pipeline == 1;

    private string AllTokens => string.Join(",", Enumerable.Range(0, _spec.Microbatches));

    /// <summary>Runs the program; each yield is a moment in which the rank waits or lets others go on.</summary>
    public IEnumerable<bool> Run(StepProgram program)
    {
        foreach (var at in program.Instructions)
        {
            foreach (bool wait in Execute(at))
                yield return wait;
            _world.Progress++;
            yield return true;
        }
    }

    private IEnumerable<bool> Execute(Instruction at)
    {
        switch (at.Op)
        {
            case Op.Load:
                _loaded.Add(at.Microbatch);
                return [];
            case Op.CountTokens:
                return Meet(_groups.Replicas, "count", string.Join(",", _loaded.Order()), all => _tokenCount = Same(all));
            case Op.GatherParameters:
                Need(!_whole.Contains(at.Block), "gathers what it holds");
                return Meet(_groups.Shards, $"gather {at.Block}", _versions[at.Block], _ => _whole.Add(at.Block));
            case Op.ReleaseParameters:
                Need(_spec.Sharding == 3 && _whole.Remove(at.Block), "releases what it does not hold whole, or owns");
                return [];
            case Op.ReceiveActivation:
                Need(_activations.TryAdd((at.Block, at.Microbatch), _world.Post(at.Peer, _rank, false)), "receives twice");
                return [];
            case Op.ReceiveGradient:
                Need(_gradients.TryAdd((at.Block, at.Microbatch), _world.Post(at.Peer, _rank, true)), "receives twice");
                return [];
            case Op.SendActivation:
                return Send(at, Take(_outputs, at, "an output"), false);
            case Op.SendGradient:
                return Send(at, Take(_inputGradients, at, "a gradient"), true);
            case Op.Forward:
                return Forward(at);
            case Op.Backward or Op.BackwardInput:
                return Backward(at);
            case Op.BackwardWeight:
                Need(_left.Remove((at.Block, at.Microbatch)), "has no weight gradients left to compute");
                Contribute(at);
                return Lockstep(at);
            case Op.ReduceGradients:
                return Reduce(at);
            case Op.ReduceTied:
                return ReduceTied(at);
            case Op.Norm:
                Need(!_normed, "takes the norm twice");
                CheckGradients();
                return Meet(Enumerable.Range(0, _spec.Mesh.Size).ToArray(), "norm", "", _ => _normed = true);
            case Op.Update:
                Need(_normed && _versions[at.Block] == "old", "updates before the norm, or twice");
                _versions[at.Block] = "new";
                return [];
            case Op.GatherUpdated:
                return Meet(_groups.Shards, $"updated {at.Block}", _versions[at.Block], all => _wholeVersions[at.Block] = Same(all));
            default:
                return Meet(
                    _spec.Sharding == 3 ? _groups.ShardReplicas : _groups.Replicas,
                    $"compare {at.Block}",
                    VersionInUse(at.Block),
                    all =>
                    {
                        Need(Same(all) == "new", "compares what is not updated");
                        _compared.Add(at.Block);
                    }
                );
        }
    }

    private IEnumerable<bool> Forward(Instruction at)
    {
        string input = $"tokens {at.Microbatch} {Replica}";
        if (at.Block == 0 || at.Block == Head)
            Need(_loaded.Contains(at.Microbatch), "has no tokens");
        if (at.Block > 0)
        {
            if (_activations.Remove((at.Block, at.Microbatch), out var receipt))
            {
                while (receipt.Value is null)
                    yield return false;
                input = receipt.Value;
            }
            else
            {
                input = Take(_outputs, at with { Block = at.Block - 1 }, "an input");
            }
        }
        UseParameters(at);
        if (at.Block == Head)
            Need(_tokenCount == AllTokens, "does not know the count of tokens");
        foreach (bool wait in Lockstep(at))
            yield return wait;
        Need(_kept.Add((at.Block, at.Microbatch)), "keeps the same activations twice");
        Need(input == ExpectedInput(at), $"computes on {input}");
        if (at.Block < Head)
            _outputs[(at.Block, at.Microbatch)] = $"{input}>{at.Block}";
    }

    private string ExpectedInput(Instruction at) =>
        $"tokens {at.Microbatch} {Replica}" + string.Concat(Enumerable.Range(0, at.Block).Select(block => $">{block}"));

    private IEnumerable<bool> Backward(Instruction at)
    {
        string gradient = $"loss {at.Microbatch} {Replica}";
        if (at.Block < Head)
        {
            if (_gradients.Remove((at.Block, at.Microbatch), out var receipt))
            {
                while (receipt.Value is null)
                    yield return false;
                gradient = receipt.Value;
            }
            else
            {
                gradient = Take(_inputGradients, at with { Block = at.Block + 1 }, "an output gradient");
            }
        }
        UseParameters(at);
        foreach (bool wait in Lockstep(at))
            yield return wait;
        Need(_kept.Remove((at.Block, at.Microbatch)), "has no activations");
        Need(
            gradient
                == $"loss {at.Microbatch} {Replica}"
                    + string.Concat(Enumerable.Range(at.Block + 1, Head - at.Block).Reverse().Select(block => $"<{block}")),
            $"goes backward on {gradient}"
        );
        if (at.Block > 0)
            _inputGradients[(at.Block, at.Microbatch)] = $"{gradient}<{at.Block}";
        if (at.Op == Op.Backward)
            Contribute(at);
        else
            Need(_left.Add((at.Block, at.Microbatch)), "leaves weight gradients twice");
    }

    private void UseParameters(Instruction at)
    {
        Need(_whole.Contains(at.Block), "uses parameters that are not there");
        Need(at.Block != Head || !HeadUsesEmbeddingHere || _whole.Contains(0), "uses the embedding's matrix, which is not there");
        Need(_versions[at.Block] == "old", "uses parameters that are updated already");
    }

    private void Contribute(Instruction at)
    {
        _accumulated[at.Block].Add($"{at.Block} m{at.Microbatch} {Replica}");
        if (at.Block == Head && HeadUsesEmbeddingHere)
            _accumulated[0].Add($"{Head} m{at.Microbatch} {Replica}");
    }

    private IEnumerable<bool> Reduce(Instruction at)
    {
        var brought = _accumulated[at.Block];
        _accumulated[at.Block] = [];
        return Meet(
            _groups.Replicas,
            $"reduce {at.Block} {at.Microbatch}",
            brought,
            all => _reduced[at.Block].AddRange(all.SelectMany(list => (List<string>)list))
        );
    }

    private IEnumerable<bool> ReduceTied(Instruction at)
    {
        Need(_groups.Tied.Contains(at.Peer) && at.Peer != _rank, "sums with a stranger");
        return Meet(
            _groups.Tied,
            "tied",
            _accumulated[at.Block],
            all => _accumulated[at.Block] = all.SelectMany(list => (List<string>)list).Order().ToList()
        );
    }

    private IEnumerable<bool> Send(Instruction at, string value, bool gradient)
    {
        while (!_world.TrySend(_rank, at.Peer, gradient, value))
            yield return false;
    }

    private IEnumerable<bool> Lockstep(Instruction at) =>
        _groups.Lockstep.Count == 1 ? [] : Meet(_groups.Lockstep, at.ToString(), "", _ => { });

    private IEnumerable<bool> Meet(IReadOnlyList<int> group, string purpose, object brought, Action<IReadOnlyCollection<object>> then)
    {
        var round = _world.Join(group, _rank, purpose, brought);
        while (round.Brought.Count < group.Count)
            yield return false;
        then(round.Brought.OrderBy(entry => entry.Key).Select(entry => entry.Value).ToArray());
    }

    private string VersionInUse(int block) => _spec.Sharding is 1 or 2 ? _wholeVersions[block] : _versions[block];

    private static string Same(IReadOnlyCollection<object> all) =>
        all.Distinct().Count() == 1 ? (string)all.First() : throw new WrongProgramException("members bring different things");

    private string Take(Dictionary<(int, int), string> from, Instruction at, string what)
    {
        Need(from.Remove((at.Block, at.Microbatch), out string? value), $"has not got {what} of block {at.Block}");
        return value!;
    }

    /// <summary>Each microbatch of each replica must be in the sum exactly once, and with tied matrices those of both ends.</summary>
    private void CheckGradients()
    {
        foreach (int block in _blocks)
        {
            bool tied = _spec.Model.TiedEmbeddings && (_spec.Mesh.Pipeline > 1 ? block == 0 || block == Head : block == 0);
            int[] sources = tied ? [0, Head] : [block];
            var expected =
                from source in sources
                from microbatch in Enumerable.Range(0, _spec.Microbatches)
                from data in Enumerable.Range(0, _spec.Mesh.Data)
                from context in Enumerable.Range(0, _spec.Mesh.Context)
                select $"{source} m{microbatch} d{data}c{context}";
            var sum = _spec.ReplicaCount > 1 ? _reduced[block] : _accumulated[block];
            Need(sum.Order().SequenceEqual(expected.Order()), $"has a wrong gradient of block {block}");
            Need(_spec.ReplicaCount == 1 || _accumulated[block].Count == 0, $"has a gradient of block {block} that is not reduced");
        }
    }

    /// <summary>What one step must leave.</summary>
    public void CheckOutcome()
    {
        Need(_normed, "has not taken the norm");
        Need(_kept.Count + _left.Count + _outputs.Count == 0, "leaves activations behind");
        Need(_inputGradients.Count == 0, "leaves gradients behind");
        foreach (int block in _blocks)
        {
            Need(VersionInUse(block) == "new", $"has old parameters of block {block}");
            Need(_spec.Sharding < 3 || !_whole.Contains(block), $"has not released block {block}");
            Need(!_spec.ComparesReplicas || _compared.Contains(block), $"has not compared block {block}");
        }
    }

    private void Need(bool condition, string otherwise)
    {
        if (!condition)
            throw new WrongProgramException($"rank {_rank} {otherwise}");
    }
}
