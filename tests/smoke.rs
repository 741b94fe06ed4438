use ringmail::{Options, mpmc, spsc};
#[test]
fn basic() {
    let (tx, rx) = mpmc::channel::<[u8]>(&Options::new().capacity(3).max_len(64)).unwrap();
    for i in 0..3u8 {
        tx.try_send(&[i]).unwrap();
    }
    assert!(tx.try_send(b"x").unwrap_err().is_full());
    let a = rx.recv().unwrap();
    assert_eq!(&*a, &[0]);
    drop(a);
    tx.try_send(&[3]).unwrap();
    let b = rx.recv().unwrap();
    assert_eq!(&*b, &[1]);
    let c = rx.recv().unwrap();
    drop(c);
    tx.try_send(&[4]).unwrap();
    assert!(tx.try_send(b"x").unwrap_err().is_full());
    assert_eq!(&*rx.recv().unwrap(), &[3]);
    drop(tx);
    assert_eq!(&*rx.recv().unwrap(), &[4]);
    assert!(rx.recv().unwrap_err().is_disconnected());
    b.reject();
    let b = rx.recv().unwrap();
    assert_eq!(b.redelivered(), 1);
}
#[test]
fn threads() {
    let (mut tx, mut rx) = spsc::channel::<u64>(&Options::new().capacity(1000)).unwrap();
    let n = 1_000_000u64;
    let h = std::thread::spawn(move || {
        let mut i = 0;
        while let Ok(m) = rx.recv() {
            assert_eq!(*m, i);
            i += 1;
        }
        assert_eq!(i, n);
    });
    for i in 0..n {
        tx.send(&i).unwrap();
    }
    drop(tx);
    h.join().unwrap();
    let (tx, rx) = mpmc::channel::<u64>(&Options::new().capacity(1000)).unwrap();
    let h = std::thread::spawn(move || {
        let mut i = 0;
        while let Ok(m) = rx.recv() {
            assert_eq!(*m, i);
            i += 1;
        }
        assert_eq!(i, n);
    });
    for i in 0..n {
        tx.send(&i).unwrap();
    }
    tx.wait_acked(None).unwrap();
    drop(tx);
    h.join().unwrap();
}
