using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Seeds the generator that operators use when they are given none; it is the whole process's.</summary>
    public static Generator manual_seed(long seed) => random.manual_seed(seed);

    public static long initial_seed() => random.initial_seed();

    public static long seed() => random.seed();

    /// <summary>The default generator.</summary>
    public static class random
    {
        public static Generator manual_seed(long seed) => Generator.Default.manual_seed(seed);

        public static long initial_seed() => Generator.Default.initial_seed();

        public static long seed() => Generator.Default.seed();

        public static Tensor get_rng_state() => Generator.Default.get_state();

        public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);
    }

    /// <summary>A random generator with its own state, on the CPU.</summary>
    public class Generator : IDisposable
    {
        private nint _handle;

        public Generator(ulong seed = 0, Device? device = null)
        {
            if (device is { type: not DeviceType.CPU })
                throw new NotSupportedException($"Generators are on the CPU; {device} was asked for.");
            _handle = Errors.NotNull(NativeMethods.uniscale_generator_new(seed));
        }

        private Generator(nint handle) => _handle = handle;

        ~Generator() => Dispose(false);

        public static Generator Default => new(Errors.NotNull(NativeMethods.uniscale_generator_default()));

        public IntPtr Handle
        {
            get
            {
                ObjectDisposedException.ThrowIf(_handle == 0, this);
                return _handle;
            }
        }

        public Device device { get; } = CPU;

        public Generator manual_seed(long seed)
        {
            NativeMethods.uniscale_generator_set_seed(Handle, unchecked((ulong)seed));
            GC.KeepAlive(this);
            return this;
        }

        public long initial_seed() => Seed(renew: 0);

        /// <summary>Takes a new seed from the system and returns it.</summary>
        public long seed() => Seed(renew: 1);

        public Tensor get_state()
        {
            var state = new Tensor(Errors.NotNull(NativeMethods.uniscale_generator_get_state(Handle)));
            GC.KeepAlive(this);
            return state;
        }

        public void set_state(Tensor value)
        {
            Errors.Check(NativeMethods.uniscale_generator_set_state(Handle, value.Handle));
            GC.KeepAlive(this);
            GC.KeepAlive(value);
        }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (_handle != 0)
                NativeMethods.uniscale_generator_free(_handle);
            _handle = 0;
        }

        private long Seed(int renew)
        {
            var seed = NativeMethods.uniscale_generator_seed(Handle, renew);
            GC.KeepAlive(this);
            return unchecked((long)seed);
        }
    }
}
